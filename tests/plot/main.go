//go:build ignore

// Command plot draws the figures of the benchmark of servers: it reads them from stdin and writes an SVG to stdout.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/go-analyze/charts"
)

func main() {
	var rows []struct {
		Engine, Request string
		Of              map[string]struct{ CPU float64 }
	}
	if err := json.NewDecoder(os.Stdin).Decode(&rows); err != nil {
		log.Fatal(err)
	}
	var names, requests []string
	var values [][]float64
	for _, name := range []string{"old", "new", "by hand"} {
		var cpu []float64
		requests = nil
		for _, row := range rows {
			if of, measured := row.Of[name]; measured && row.Engine == "PostgreSQL" {
				cpu, requests = append(cpu, of.CPU), append(requests, row.Request+"\u2003") // room for a wider font
			}
		}
		if cpu != nil {
			names, values = append(names, name), append(values, cpu)
		}
	}
	slices.Reverse(requests) // the chart begins below
	for _, cpu := range values {
		slices.Reverse(cpu)
	}
	options := charts.NewBarChartOptionWithData(values)
	options.Horizontal = true
	options.Title.Text = "CPU time per request on PostgreSQL, µs"
	options.Legend.SeriesNames, options.Legend.Offset = names, charts.OffsetRight
	options.CategoryAxis.Labels = requests
	options.Padding = charts.NewBoxEqual(20)
	for i := range options.SeriesList {
		options.SeriesList[i].Label.Show = charts.Ptr(true)
		options.SeriesList[i].Label.ValueFormatter = func(value float64) string { return fmt.Sprintf("%.0f", value) }
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 900, Height: 640})
	if err := painter.BarChart(options); err != nil {
		log.Fatal(err)
	}
	picture, err := painter.Bytes()
	if err == nil {
		_, err = os.Stdout.Write(picture)
	}
	if err != nil {
		log.Fatal(err)
	}
}
