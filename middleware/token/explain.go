package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json/jsontext"

	"taskapi/config"
)

// Explain writes whether a server with these settings would accept a token, and why. It ignores the scheme Bearer before the
// token, never writes the signature, and fetches the key set if the settings have an issuer. It returns nil if the token
// would be accepted, else an error that wraps the one of [Verifier.Verify].
func Explain(ctx context.Context, w io.Writer, cfg *config.Config, token string) error {
	token = strings.TrimSpace(token)
	if scheme, rest, found := strings.Cut(token, " "); found && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	e := explanation{cfg: cfg, parts: strings.Split(token, ".")}
	if cfg.Issuer.KeySetURL != "" {
		e.keys = emptyKeySet(cfg.Issuer, slog.New(slog.DiscardHandler))
		e.unreachable = e.keys.fetch(ctx)
	}
	for i, part := range []*members{&e.header, &e.claims} {
		if i < len(e.parts) {
			_ = decodePart(e.parts[i], part, jsontext.AllowDuplicateNames(true))
		}
	}
	user, err := NewVerifier(cfg.Secrets(), e.keys).Verify(token)
	if err == nil {
		fmt.Fprintf(w, "Accepted, as the user %q.\n", user)
		if cfg.AuthUsersTable != "" {
			fmt.Fprintf(w, "To create tasks, that user needs an account in %s, which is not looked at here.\n", cfg.AuthUsersTable)
		}
	} else {
		refusal := e.describe(err)
		fmt.Fprintf(w, "Refused: %s.\n", refusal.reason)
		if refusal.remedy != "" {
			fmt.Fprintf(w, "To change that: %s.\n", refusal.remedy)
		}
	}
	for _, warning := range cfg.SecretWarnings() {
		fmt.Fprintf(w, "Warning: %s.\n", warning)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	e.header.print(table, "Header")
	e.claims.print(table, "Claims")
	fmt.Fprintf(table, "\nKey\n  %s\n", e.describeKey())
	if err != nil {
		err = fmt.Errorf("the token would be refused: %w", err)
	}
	return errors.Join(err, table.Flush())
}

// explanation is a decoded token and the settings to verify it with.
type explanation struct {
	cfg            *config.Config
	keys           *KeySet
	unreachable    error
	parts          []string
	header, claims members
}

// algorithm returns alg, or "" if it is not a text.
func (e explanation) algorithm() string { return canonical(e.header.text("alg")) }

// describeKey names the key that the token was verified with.
func (e explanation) describeKey() string {
	algorithm := e.algorithm()
	switch {
	case algorithm == "HS256" && len(e.cfg.Secrets()) > 0:
		return "a shared secret"
	case !slices.Contains(publicAlgorithms, algorithm) || e.keys == nil || e.unreachable != nil:
		return "none"
	}
	usable, leftOut := e.keys.published().describe()
	text := fmt.Sprintf("%s, of %s at %s", printable(e.header["kid"]),
		cmp.Or(strings.Join(usable, ", "), "no usable key"), e.cfg.Issuer.KeySetURL)
	return strings.Join(append([]string{text}, leftOut...), "\n  left out: ")
}
