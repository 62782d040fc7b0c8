package tests

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCollectorIsSetUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	buildProgram(t)
	for name, c := range map[string]struct {
		environment    []string
		percent, limit float64
	}{
		"by default":    {nil, 400, 384 << 20},
		"by GOGC":       {[]string{"GOGC=80"}, 80, 384 << 20},
		"by GOMEMLIMIT": {[]string{"GOMEMLIMIT=100MiB"}, 400, 100 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newHome(t).start(t, append(c.environment, "BETTER_AUTH_SECRET="+testSecret, "METRICS_ADDR=127.0.0.1:0")...)
			require.InDelta(t, c.percent, p.gauge(t, "go_gc_gogc_percent"), 0)
			require.InDelta(t, c.limit, p.gauge(t, "go_gc_gomemlimit_bytes"), 0)
		})
	}
}
