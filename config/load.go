package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Load reads the settings from the environment, .env.local and .env, in this order of precedence. An error about settings
// has a line per fault, which names the variable and never a secret's value.
func Load() (*Config, error) {
	var sources []map[string]string
	for _, file := range []string{".env", localFile} {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		vars, err := godotenv.UnmarshalBytes(text)
		if err != nil {
			// The parser's error quotes the file, which may hold a secret.
			return nil, fmt.Errorf("%s: is not a list of NAME=value lines", file)
		}
		sources = append(sources, vars)
	}
	return Parse(append(sources, env.ToMap(os.Environ()))...)
}
