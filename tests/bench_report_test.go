package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// figures are what a server spends on a request: microseconds of CPU time, and what its clients see: requests a second and the 99th
// percentile of milliseconds.
type figures struct{ CPU, PerSecond, P99 float64 }

// measured has the medians of a kind of requests by the servers' names, and the medians of the ratios of the rounds.
type measured struct {
	Engine, Request         string
	Of                      map[string]figures
	CPURatio, PerSecondOver float64
}

// report has a table of requests for each engine, and one of the processes.
type report struct {
	rows      []measured
	processes [][]string // engine, server, start, idle and peak
}

// baseline is the server that "new" is compared with.
var baseline = map[string]string{"PostgreSQL": "by hand", "SQLite": "old"}

func (r *report) add(engine, request string, rounds map[string][]figures) {
	next := measured{Engine: engine, Request: request, Of: map[string]figures{}}
	medianOf := func(name string, value func(figures, int) float64) float64 {
		var values []float64
		for i, f := range rounds[name] {
			values = append(values, value(f, i))
		}
		return median(values)
	}
	for name := range rounds {
		next.Of[name] = figures{
			CPU:       medianOf(name, func(f figures, _ int) float64 { return f.CPU }),
			PerSecond: medianOf(name, func(f figures, _ int) float64 { return f.PerSecond }),
			P99:       medianOf(name, func(f figures, _ int) float64 { return f.P99 }),
		}
	}
	if base := rounds[baseline[engine]]; base != nil {
		next.CPURatio = medianOf("new", func(f figures, i int) float64 { return f.CPU / base[i].CPU })
		next.PerSecondOver = medianOf("new", func(f figures, i int) float64 { return f.PerSecond / base[i].PerSecond })
	}
	r.rows = append(r.rows, next)
	fmt.Printf("%s/%s: %+v, %.2f of the CPU, %.2f of the requests\n", engine, request, next.Of, next.CPURatio, next.PerSecondOver)
}

// number returns a figure with two or three digits that say something, or a dash for none.
func number(value float64) string {
	switch {
	case value == 0:
		return "–"
	case value < 10:
		return fmt.Sprintf("%.1f", value)
	}
	text := fmt.Sprintf("%.0f", value)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func ratio(value float64) string {
	if value == 0 {
		return "–"
	}
	return fmt.Sprintf("**%.2f**", value)
}

func (r *report) markdown() string {
	var text strings.Builder
	for _, engine := range []string{"PostgreSQL", "SQLite"} {
		names := []string{"old", "new", "by hand"}
		if engine == "SQLite" {
			names = names[:2]
		}
		fmt.Fprintf(&text, "| %s | CPU, µs: %[2]s | new / %[3]s | requests a second: %[2]s | new / %[3]s | p99, ms: %[2]s |\n", engine,
			strings.Join(names, " · "), baseline[engine])
		text.WriteString("|---|---|---|---|---|---|\n")
		for _, row := range r.rows {
			if row.Engine != engine {
				continue
			}
			var cpu, perSecond, p99 []string
			for _, name := range names {
				of := row.Of[name]
				cpu, perSecond, p99 = append(cpu, number(of.CPU)), append(perSecond, number(of.PerSecond)), append(p99, number(of.P99))
			}
			fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", row.Request, strings.Join(cpu, " · "), ratio(row.CPURatio),
				strings.Join(perSecond, " · "), ratio(row.PerSecondOver), strings.Join(p99, " · "))
		}
		text.WriteString("\n")
	}
	text.WriteString("| engine | server | first answer, ms | idle, MB | at most, MB |\n|---|---|---|---|---|\n")
	for _, process := range r.processes {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(process, " | "))
	}
	return text.String()
}

// write puts the tables into the documentation, and the figures beside its picture.
func (r *report) write(b *testing.B) {
	const path = "../docs/performance.md"
	page, err := os.ReadFile(path)
	require.NoError(b, err)
	marked := regexp.MustCompile(`(?s)(<!-- make bench -->\n).*(<!-- end -->)`)
	require.Regexp(b, marked, string(page))
	changed := marked.ReplaceAllString(string(page), "${1}"+r.markdown()+"${2}")
	require.NoError(b, os.WriteFile(path, []byte(changed), 0o644))
	text, err := json.MarshalIndent(r.rows, "", "  ")
	require.NoError(b, err)
	require.NoError(b, os.WriteFile("../docs/img/performance.json", append(text, '\n'), 0o644))
}
