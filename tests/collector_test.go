package tests

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCollectorIsSetUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	buildProgram(t)
	for name, c := range map[string]struct {
		environment []string
		percent     float64
	}{
		"by default":    {nil, 50},
		"by GOGC":       {[]string{"GOGC=80"}, 80},
		"by GOMEMLIMIT": {[]string{"GOMEMLIMIT=100MiB"}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newHome(t).start(t, append(c.environment, "BETTER_AUTH_SECRET="+testSecret, "METRICS_ADDR=127.0.0.1:0")...)
			require.InDelta(t, c.percent, p.gauge(t, "go_gc_gogc_percent"), 0)
		})
	}
}

func TestNoStartTakesTheMemoryOfTheCollectorsBallast(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux gives the memory back")
	}
	buildProgram(t)
	t.Parallel()
	var resident []float64
	for range 8 { // without the release, every third start took it
		p := newHome(t).start(t, "BETTER_AUTH_SECRET="+testSecret, "METRICS_ADDR=127.0.0.1:0")
		resident = append(resident, p.gauge(t, "process_resident_memory_bytes"))
		p.stop(t, os.Kill)
	}
	require.Less(t, slices.Max(resident)-slices.Min(resident), float64(20<<20))
}
