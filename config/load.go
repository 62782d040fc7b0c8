package config

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/caarlos0/env/v11"
)

// Load reads the settings from the environment, .env.local and .env, in this order of precedence. An error about settings
// has a line per fault, which names the variable and never a secret's value.
func Load() (*Config, error) {
	environment := env.ToMap(os.Environ())
	vars := maps.Clone(environment)
	for _, file := range []string{".env", localFile} {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = readDotenv(string(text), environment, vars)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return Parse(vars)
}
