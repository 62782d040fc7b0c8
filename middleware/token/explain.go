package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
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
			*part, _ = decodePart(e.parts[i], jsontext.AllowDuplicateNames(true))
		}
	}
	user, err := NewVerifier(cfg.Secrets(), e.keys).Verify(token)
	if err == nil {
		fmt.Fprintf(w, "Accepted, as the user %q.\n", user)
		if cfg.AuthUsersTable != "" {
			fmt.Fprintf(w, "To create tasks, that user needs an account in %s, which is not looked at here.\n", cfg.AuthUsersTable)
		}
	} else {
		reason, remedy := e.describe(err)
		fmt.Fprintf(w, "Refused: %s.\n", reason)
		if remedy != "" {
			fmt.Fprintf(w, "To change that: %s.\n", remedy)
		}
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

// describe returns a refusal in words, and a remedy if there is one.
func (e explanation) describe(err error) (reason, remedy string) {
	algorithm, issuer := e.header.text("alg"), e.cfg.Issuer
	var refused Reason
	errors.As(err, &refused)
	switch {
	case refused == "":
		return fmt.Sprintf("the key set cannot be fetched, so that a server would answer 503: %s", e.unreachable),
			"see that BETTER_AUTH_URL or JWKS_URL is right and can be reached from here"
	case refused == Malformed:
		return e.malformed()
	case refused == CriticalExtension:
		return "its header demands an extension (crit), and none is known", ""
	case refused == WrongAlgorithm && slices.Contains(publicAlgorithms, algorithm):
		given := "only BETTER_AUTH_SECRET"
		if len(e.cfg.Secrets()) == 0 {
			given = "no BETTER_AUTH_URL"
		}
		return algorithm + " token, but " + given + " is set",
			"set BETTER_AUTH_URL to the server that signed it, whose iss claim says " + printable(e.claims["iss"])
	case refused == WrongAlgorithm && algorithm == "HS256":
		return "HS256 token, but BETTER_AUTH_SECRET is not set", "set BETTER_AUTH_SECRET to the secret that signed it"
	case refused == WrongAlgorithm:
		return fmt.Sprintf("its algorithm is %s; accepted are HS256 with a shared secret, and %s with a key set",
			printable(e.header["alg"]), strings.Join(publicAlgorithms, ", ")), ""
	case refused == NoKeyID:
		return "its header does not name the key that signed it (kid)", ""
	case refused == UnknownKey:
		return fmt.Sprintf("the key set at %s does not have its key %s", issuer.KeySetURL, printable(e.header["kid"])),
			"set BETTER_AUTH_URL or JWKS_URL to the server that signed it, if that is another one"
	case refused == WrongKey:
		return fmt.Sprintf("its key %s is not one for %s", printable(e.header["kid"]), algorithm), ""
	case refused == BadSignature && algorithm == "HS256":
		return "its signature is not by a secret that is set here, or it was changed or cut on its way",
			"set BETTER_AUTH_SECRET to the secret that signed it; while secrets rotate, list both in BETTER_AUTH_SECRETS"
	case refused == BadSignature:
		return "its signature is not by the key that it names, or it was changed or cut on its way", ""
	case refused == WrongIssuer:
		return fmt.Sprintf("its iss is %s and must be %q", printable(e.claims["iss"]), issuer.Name),
			"set JWT_ISSUER to that iss, if it is the server that you trust"
	case refused == WrongAudience:
		return fmt.Sprintf("its aud is %s and must be or hold %q", printable(e.claims["aud"]), issuer.Audience),
			"set JWT_AUDIENCE, if that aud means this API"
	case refused == NoUserID:
		return e.noUserID()
	}
	return e.badTime(refused)
}

func (e explanation) malformed() (reason, remedy string) {
	const fetch = "send the JWT that Better Auth's jwt plugin gives at /api/auth/token"
	switch len(e.parts) {
	case 1:
		return "it is not a JWT; only Better Auth can read an opaque session token", fetch
	case 3:
	case 5:
		return "it is an encrypted token (JWE), which only its issuer can read", fetch
	default:
		return fmt.Sprintf("a JWT has three parts with dots between them, and this has %d", len(e.parts)), ""
	}
	if e.header == nil {
		return "its first part is not a JSON object in base64url", ""
	}
	if _, err := decodePart(e.parts[1]); err != nil {
		return "its second part is not a JSON object in base64url that has each claim once", ""
	}
	return "its signature is not base64url", ""
}

func (e explanation) noUserID() (reason, remedy string) {
	public := e.header.text("alg") != "HS256"
	switch {
	case e.claims["user_id"] != nil:
		return "its user_id is not a string of 1 to 255 characters", ""
	case public:
		return "it has neither user_id nor sub", ""
	case e.claims["session"] != nil:
		return "it is a session cookie of Better Auth, signed with the same secret, and not a token for an API", "send a token with user_id"
	case e.claims["email"] != nil && e.claims["sub"] == nil:
		return "it is of one of Better Auth's e-mail links, signed with the same secret, and not a token for an API", "send a token with user_id"
	}
	return "it has no user_id; with HS256 only that claim names the user, never by sub", "sign it with user_id"
}

func (e explanation) badTime(refused Reason) (reason, remedy string) {
	switch {
	case refused == Expired:
		return "it expired " + describeTime(e.claims["exp"]), "have a new one issued"
	case refused == BadTime && e.claims["exp"] == nil:
		return "it has no exp, so that it would never expire", ""
	case refused == BadTime:
		return "one of its times (exp, nbf, iat) is not a number of seconds since 1970 within the calendar", ""
	}
	return "it is not valid yet: nbf or iat is to come, by more than the minute that clocks may differ", "set the clocks"
}

// describeKey names the key that the token was verified with.
func (e explanation) describeKey() string {
	algorithm := e.header.text("alg")
	switch {
	case algorithm == "HS256" && len(e.cfg.Secrets()) == 1:
		return "the shared secret"
	case algorithm == "HS256" && len(e.cfg.Secrets()) > 1:
		return fmt.Sprintf("the %d shared secrets, one after the other", len(e.cfg.Secrets()))
	case !slices.Contains(publicAlgorithms, algorithm) || e.keys == nil || e.unreachable != nil:
		return "none"
	}
	var published []string
	all, _ := e.keys.keys.KeyReadAll(context.Background())
	for _, key := range all {
		published = append(published, strconv.Quote(key.Marshal().KID))
	}
	return fmt.Sprintf("%s, of %s at %s", printable(e.header["kid"]), strings.Join(published, ", "), e.cfg.Issuer.KeySetURL)
}
