package tests

import (
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
