package config

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
)

// localFile holds the settings of one machine; git ignores it.
const localFile = ".env.local"

// createSecret makes 32 random bytes, in base64, and appends them to the local file, readable by its owner alone.
func createSecret() (string, error) {
	random := make([]byte, 32)
	rand.Read(random) //nolint:errcheck // never fails: crypto/rand ends the program rather than return an error
	secret := base64.RawURLEncoding.EncodeToString(random)

	file, err := os.OpenFile(localFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := file.Chmod(0o600); err != nil {
		return "", err
	}
	// The line break in front ends a last line that may have none.
	if _, err := fmt.Fprintf(file, "\nBETTER_AUTH_SECRET=%s\n", secret); err != nil {
		return "", err
	}
	return secret, file.Sync()
}
