package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Load reads the settings of the current directory: the real environment goes before .env.local, which goes before .env.
// The error of bad settings has a line for every fault, each naming its variable, and never a secret's value.
func Load() (*Config, error) {
	sources, err := environment()
	if err != nil {
		return nil, err
	}
	return Parse(sources...)
}

// environment reads the settings' three sources, the weakest first.
func environment() (sources []map[string]string, err error) {
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
			// The parser's own words quote the file, and with it perhaps a secret.
			return nil, fmt.Errorf("%s: is not a list of NAME=value lines", file)
		}
		sources = append(sources, vars)
	}
	return append(sources, env.ToMap(os.Environ())), nil
}
