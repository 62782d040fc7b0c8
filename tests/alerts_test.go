package tests

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheAlertsAskForWhatTheServerMeasures(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		s.as("ann").list(t)
		s.send(t, request{method: "GET", path: "/api/tasks"})
		rules, err := os.ReadFile("../deploy/alerts.yaml")
		require.NoError(t, err)
		measured := s.metrics(t)
		asked := regexp.MustCompile(`\b(\w+)\{job="taskapi"`).FindAllSubmatch(rules, -1)
		require.Greater(t, len(asked), 10)
		for _, name := range asked {
			if string(name[1]) != "up" { // which is Prometheus's own
				require.Regexp(t, `(?m)^`+string(name[1])+`\b`, measured)
			}
		}
	})
}
