package tests

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// What the compose specification's own schema cannot tell is tested here.
func TestTheComposeFileConfinesEachServiceAndHasNoSecret(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../compose.yaml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string         `json:"image"`
			Build       string         `json:"build"`
			Environment map[string]any `json:"environment"`
			Ports       []string       `json:"ports"`
			DependsOn   map[string]any `json:"depends_on"`
			ReadOnly    bool           `json:"read_only"`
			CapDrop     []string       `json:"cap_drop"`
			SecurityOpt []string       `json:"security_opt"`
			Healthcheck map[string]any `json:"healthcheck"`
		} `json:"services"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Len(t, file.Services, 3)
	for name, service := range file.Services {
		require.True(t, service.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, service.CapDrop, name)
		require.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt, name)
		require.True(t, service.Build == "." || service.Healthcheck != nil, "%s: only our image brings a health check", name)
		if service.Build == "" {
			require.Regexp(t, `^[\w/]+:v?\d+\.\d+`, service.Image, "%s: a version", name)
		}
		for _, port := range service.Ports {
			require.Regexp(t, `^127\.0\.0\.1:`, port, name)
		}
		for other := range service.DependsOn {
			require.Contains(t, file.Services, other, name)
		}
		for variable, value := range service.Environment {
			if regexp.MustCompile(`SECRET|PASSWORD|URL`).MatchString(variable) {
				require.Regexp(t, `^$|\$\{(BETTER_AUTH_SECRET|POSTGRES_PASSWORD|BETTER_AUTH_URL)\b`, value, "%s: %s", name, variable)
			}
		}
	}
	require.Regexp(t, `^\$\{BETTER_AUTH_SECRET:\?.+\}$`, file.Services["api"].Environment["BETTER_AUTH_SECRET"])
	require.Contains(t, file.Services["api"].Environment["DATABASE_URL"], "${POSTGRES_PASSWORD:?")
}
