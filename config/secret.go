package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	// localFile holds the settings of one machine. Git ignores it.
	localFile = ".env.local"
	// madeHere is the prefix of the secrets that [Config.EnsureSecret] makes.
	madeHere = "made-for-development-"
)

// EnsureSecret creates a secret in development if none is set, writes it to .env.local, and says so on notices.
func (c *Config) EnsureSecret(notices io.Writer) (err error) {
	if c.Production() || len(c.Secrets()) > 0 {
		return nil
	}
	if c.Secret, err = createSecret(); err != nil {
		return fmt.Errorf("BETTER_AUTH_SECRET: is not set, and a new one cannot be kept in %s: %w", localFile, err)
	}
	fmt.Fprintf(notices, "Made a random BETTER_AUTH_SECRET and kept it in %s, so that tokens survive a restart.\n", localFile)
	return nil
}

// TriedOut reports whether this is a first try on somebody's own machine: in development, listening on loopback, with one
// secret, made by EnsureSecret, without an issuer and without a table of accounts.
func (c *Config) TriedOut() bool {
	secrets := c.Secrets()
	return !c.Production() && Loopback(c.Host) && len(secrets) == 1 && strings.HasPrefix(secrets[0], madeHere) &&
		c.Issuer.KeySetURL == "" && c.AuthUsersTable == ""
}

// Loopback reports whether a host is localhost or a loopback address.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// createSecret appends a secret with 32 random bytes, in base64, to the local file, which only its owner can read.
func createSecret() (string, error) {
	random := make([]byte, 32)
	rand.Read(random) //nolint:errcheck // never returns an error
	secret := madeHere + base64.RawURLEncoding.EncodeToString(random)

	file, err := os.OpenFile(localFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := file.Chmod(0o600); err != nil {
		return "", err
	}
	// The last line of the file may have no line break.
	if _, err := fmt.Fprintf(file, "\nBETTER_AUTH_SECRET=%s\n", secret); err != nil {
		return "", err
	}
	return secret, file.Sync()
}

// Rotation is a list of secrets, the newest first.
type Rotation []string

// UnmarshalText parses Better Auth's form, "2:new,1:old". Its errors never quote a secret.
func (r *Rotation) UnmarshalText(text []byte) error {
	var secrets Rotation
	for entry := range strings.SplitSeq(string(text), ",") {
		version, secret, _ := strings.Cut(strings.TrimSpace(entry), ":")
		if _, err := strconv.ParseUint(version, 10, 32); err != nil || strings.TrimSpace(secret) == "" {
			return errors.New("is not a list such as 2:new,1:old")
		}
		secrets = append(secrets, secret)
	}
	*r = secrets
	return nil
}

// Secrets returns the secrets that verify tokens: the rotation's, then BETTER_AUTH_SECRET. The first one signs.
func (c *Config) Secrets() []string {
	secrets := slices.Clone([]string(c.Rotation))
	if c.Secret != "" && !slices.Contains(secrets, c.Secret) {
		secrets = append(secrets, c.Secret)
	}
	return secrets
}

// SecretWarnings returns a warning for each value that tokens are verified with and that has white space, a line break or quotes
// around it, which were probably not meant. They never quote a secret.
func (c *Config) SecretWarnings() (warnings []string) {
	warn := func(name string, values ...string) {
		for _, value := range values {
			if found := wrapping(value); found != "" {
				warnings = append(warnings, fmt.Sprintf("%s: the value %s, which counts as a part of it", name, found))
			}
		}
	}
	warn("BETTER_AUTH_SECRET", c.Secret)
	warn("BETTER_AUTH_SECRETS", c.Rotation...)
	warn("JWT_ISSUER", c.JWTIssuer)
	warn("JWT_AUDIENCE", c.JWTAudience)
	return warnings
}
