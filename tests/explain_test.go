package tests

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// explain returns what [token.Explain] writes about a token, and its error.
func explain(t testing.TB, text string, settings ...string) (said string, err error) {
	t.Helper()
	cfg, err := parse(settings...)
	require.NoError(t, err)
	var b bytes.Buffer
	err = token.Explain(context.Background(), &b, cfg, text)
	if _, signature := cutSignature("." + text); len(signature) > 8 {
		require.NotContains(t, b.String(), signature, "a signature is shown")
	}
	return b.String(), err
}

func TestExplainSaysWhatAServerWouldDoAndWhy(t *testing.T) {
	t.Parallel()
	ed, rs := newKey(t, "ed", jwt.SigningMethodEdDSA), newKey(t, "rs", jwt.SigningMethodRS256)
	stranger := newKey(t, "stranger", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, ed, rs)
	secret := []string{"BETTER_AUTH_SECRET", testSecret}
	both := append([]string{"BETTER_AUTH_URL", auth.origin()}, secret...)
	stock := func(more map[string]any) string { return ed.sign(t, nil, auth.stock("ann", more)) }
	const days = 24 * time.Hour // so that slow tests read the same hours
	good := claim(`{"user_id":"ann","exp":%d}`, 100*days+30*time.Minute)
	const noURL = "EdDSA token, but BETTER_AUTH_URL is not set"
	for name, c := range map[string]struct {
		token    string
		settings []string
		says     []string
	}{
		"a token of the secret":  {good, secret, []string{`Accepted, as the user "ann"`, "HS256", "in 2400h", "a shared secret"}},
		"behind its scheme":      {" bearer  " + good + "\n", secret, []string{`Accepted, as the user "ann"`}},
		"one of several secrets": {good, append([]string{"BETTER_AUTH_SECRETS", "2:other"}, secret...), []string{"Accepted", "a shared secret"}},
		"the stock token": {
			stock(nil), both,
			[]string{`Accepted, as the user "ann"`, "EdDSA", `"ed", of "ed", "rs" at ` + auth.origin() + "/api/auth/jwks", "ann@example.com"},
		},
		"the stock token, no URL": {stock(nil), secret, []string{noURL, "set BETTER_AUTH_URL", auth.origin()}},
		"no secret":               {good, both[:2], []string{"HS256 token, but BETTER_AUTH_SECRET is not set", "set BETTER_AUTH_SECRET"}},
		"another secret": {
			signWith(t, jwt.SigningMethodHS256, []byte("x")), secret, []string{"not by a secret that is set here", "BETTER_AUTH_SECRETS"},
		},
		"another key": {
			signingKey{id: "ed", method: stranger.method, private: stranger.private}.sign(t, nil, auth.stock("ann", nil)),
			both, []string{"not by the key that it names"},
		},
		"HS384": {
			signWith(t, jwt.SigningMethodHS384, []byte(testSecret)), secret,
			[]string{`its algorithm is "HS384"`, "EdDSA, ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512"},
		},
		"none": {
			signWith(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), secret, []string{`its algorithm is "none"`},
		},
		"a critical extension": {forge(`{"alg":"HS256","crit":["x"]}`, `{}`), secret, []string{"extension"}},
		"no kid":               {ed.sign(t, map[string]any{"kid": nil}, auth.stock("ann", nil)), both, []string{"does not name the key"}},
		"an unknown key": {
			stranger.sign(t, nil, auth.stock("ann", nil)), both, []string{`does not have its key "stranger"`, `"ed", "rs"`, "JWKS_URL"},
		},
		"a key of another type": {
			ed.sign(t, map[string]any{"kid": "rs"}, auth.stock("ann", nil)), both, []string{`its key "rs" is not one for EdDSA`},
		},
		"expired":     {claim(`{"user_id":"ann","exp":%d}`, -100*days), secret, []string{"it expired", "2400h", "new one"}},
		"no exp":      {claim(`{"user_id":"ann"}`), secret, []string{"no exp"}},
		"exp as text": {claim(`{"user_id":"ann","exp":"%d"}`, time.Hour), secret, []string{"not a number of seconds", "(not a time)"}},
		"nbf to come": {
			claim(`{"user_id":"ann","exp":%d,"nbf":%d}`, 100*days, 10*days+30*time.Minute), secret, []string{"not valid yet", "in 240h"},
		},
		"another issuer": {
			stock(map[string]any{"iss": "https://evil.example.com"}), both,
			[]string{`its iss is "https://evil.example.com" and must be "` + auth.origin(), "JWT_ISSUER"},
		},
		"no issuer": {stock(map[string]any{"iss": nil}), both, []string{"its iss is missing"}},
		"another audience": {
			stock(map[string]any{"aud": []string{"a", "b"}}), both,
			[]string{`its aud is ["a","b"] and must be or hold "` + auth.origin(), "JWT_AUDIENCE"},
		},
		"nobody":               {stock(map[string]any{"sub": nil}), both, []string{"neither user_id nor sub"}},
		"sub under the secret": {claim(`{"sub":"ann","exp":%d}`, time.Hour), secret, []string{"never sub"}},
		"a blank user_id":      {claim(`{"user_id":" ","exp":%d}`, time.Hour), secret, []string{"1 to 255 characters"}},
		"the session cookie": {
			claim(`{"session":{"userId":"ann"},"user":{"id":"ann"},"exp":%d}`, time.Hour), secret, []string{"session cookie", "user_id"},
		},
		"an e-mail link": {claim(`{"email":"ann@example.com","exp":%d}`, time.Hour), secret, []string{"e-mail links"}},
		"two schemes, as a client sends that adds one to another": {"Bearer Bearer " + good, secret, []string{"white space", "second Bearer"}},
		"a whole header line":             {"Authorization: Bearer " + good, secret, []string{"white space"}},
		"a header with a member twice":    {forge(`{"alg":"none","alg":"HS256"}`, `{"user_id":"ann"}`), secret, []string{"each member once"}},
		"a signature in another spelling": {respell(good), secret, []string{"base64url without needless bits"}},
		"a wrong type": {
			ed.sign(t, map[string]any{"typ": "dpop+jwt"}, auth.stock("ann", nil)), both, []string{`its typ is "dpop+jwt" and must be JWT or at+jwt`},
		},
		"a kid that is a number": {ed.sign(t, map[string]any{"kid": 7}, auth.stock("ann", nil)), both, []string{"its kid is 7"}},
		"Ed25519 by its own name": {
			ed.sign(t, map[string]any{"alg": "Ed25519"}, auth.stock("ann", nil)),
			both, []string{`Accepted, as the user "ann"`, `"ed", of "ed", "rs"`},
		},
		"Ed25519 without an issuer": {ed.sign(t, map[string]any{"alg": "Ed25519"}, auth.stock("ann", nil)), secret, []string{noURL}},
		"no aud, and azp would do": {
			stock(map[string]any{"aud": nil, "azp": "spa"}), both,
			[]string{"its aud is missing", `JWT_AUDIENCE_CLAIM=azp and JWT_AUDIENCE to "spa"`},
		},
		"no aud, and client_id would do": {
			stock(map[string]any{"aud": nil, "client_id": "spa"}), both, []string{`JWT_AUDIENCE_CLAIM=client_id and JWT_AUDIENCE to "spa"`},
		},
		"no aud, the wrong azp": {
			stock(map[string]any{"aud": nil, "azp": "spa"}),
			append([]string{"JWT_AUDIENCE_CLAIM", "azp"}, both...), []string{`JWT_AUDIENCE to "spa"`},
		},
		"no aud, and the azp of a list": {
			stock(map[string]any{"aud": nil, "azp": "spa"}),
			append([]string{"JWT_AUDIENCE_CLAIM", "azp", "JWT_AUDIENCE", "tasks, spa"}, both...), []string{"Accepted"},
		},
		"another audience than both": {
			stock(map[string]any{"aud": "x"}), append([]string{"JWT_AUDIENCE", "tasks,mail"}, both...),
			[]string{`must be or hold "tasks" or "mail"`},
		},
		"another issuer than Better Auth": {
			stock(map[string]any{"iss": "https://id.example.com/"}), secret,
			[]string{"JWKS_URL, JWT_ISSUER and JWT_AUDIENCE", "https://id.example.com/"},
		},
		"an opaque token":         {"h6PqSbvYh0lxTXGKwGqPJ8eDvqGoZSdN", both, []string{"not a JWT", "/api/auth/token"}},
		"nothing":                 {"", both, []string{"not a JWT"}},
		"an encrypted token":      {"a.b.c.d.e", both, []string{"encrypted"}},
		"two parts":               {"a.b", both, []string{"this has 2"}},
		"a header in clear":       {"{}.e30.AAAA", both, []string{"JSON objects"}},
		"a claim twice":           {claim(`{"user_id":"ann","exp":%d,"exp":1}`, time.Hour), secret, []string{"each member once"}},
		"a signature with a plus": {"eyJhbGciOiJIUzI1NiJ9.e30.++++++++++", secret, []string{"not base64url"}},
		"an issuer out of reach": {
			stock(nil), append([]string{"BETTER_AUTH_URL", "http://127.0.0.1:1"}, secret...), []string{"cannot be fetched", "503", "127.0.0.1:1"},
		},
		"the secret, issuer or not": {good, append([]string{"BETTER_AUTH_URL", "http://127.0.0.1:1"}, secret...), []string{"Accepted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := explain(t, c.token, c.settings...)
			for _, said := range c.says {
				require.Contains(t, text, said)
			}
			require.Equal(t, err == nil, strings.HasPrefix(text, "Accepted"), "%v\n%s", err, text)
			require.Equal(t, err != nil, strings.HasPrefix(text, "Refused: "), "%v\n%s", err, text)
			require.NotContains(t, text, testSecret)
		})
	}
}

func TestExplainAdvisesNothingThatCannotHelp(t *testing.T) {
	t.Parallel()
	ed := newKey(t, "ed", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, ed)
	secret := []string{"BETTER_AUTH_SECRET", testSecret}
	both := append([]string{"BETTER_AUTH_URL", auth.origin()}, secret...)
	stock := func(more map[string]any) string { return ed.sign(t, nil, auth.stock("ann", more)) }
	for name, c := range map[string]struct {
		token    string
		settings []string
		never    string
	}{
		"no aud, azp or client_id":     {stock(map[string]any{"aud": nil}), both, "set JWT_"},
		"an empty list in aud":         {stock(map[string]any{"aud": []string{}}), both, "set JWT_"},
		"a number in aud":              {stock(map[string]any{"aud": []any{1, "x"}}), both, "set JWT_"},
		"a bad aud beside azp":         {stock(map[string]any{"aud": 1, "azp": "spa"}), both, "set JWT_"},
		"an azp that is a list":        {stock(map[string]any{"aud": nil, "azp": []string{"spa"}}), both, "set JWT_"},
		"no iss":                       {stock(map[string]any{"iss": nil}), both, "set JWT_"},
		"an iss that is a list":        {stock(map[string]any{"iss": []string{auth.origin()}}), both, "set JWT_"},
		"no iss, and no issuer is set": {stock(map[string]any{"iss": nil}), secret, "set BETTER_AUTH_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := explain(t, c.token, c.settings...)
			require.Error(t, err)
			require.NotContains(t, text, c.never)
		})
	}
}

func TestExplainWarnsOfASecretWhoseWrappingCameAlong(t *testing.T) {
	t.Parallel()
	signed := signWith(t, jwt.SigningMethodHS256, []byte("hunter2"))
	for _, secret := range []string{"hunter2\n", "hunter2 ", "\thunter2", "hunter2\r\n", `"hunter2"`, "'hunter2'"} {
		for name, value := range map[string]string{"BETTER_AUTH_SECRET": secret, "BETTER_AUTH_SECRETS": "1:" + secret} {
			if name == "BETTER_AUTH_SECRETS" && strings.TrimSpace(secret) != secret {
				continue // a list is trimmed
			}
			text, err := explain(t, signed, name, value)
			require.ErrorIs(t, err, token.BadSignature)
			require.Contains(t, text, "Warning: "+name, "%q", secret)
			require.NotContains(t, text, "hunter2")
		}
	}
	text, err := explain(t, signed, "BETTER_AUTH_SECRET", "hunter2")
	require.NoError(t, err)
	require.NotContains(t, text, "Warning")
}

// TestExplainAgreesWithTheServerOnForgedTokens expects the reasons that TestForgedTokensAreAllTheSame401 expects of a server.
func TestExplainAgreesWithTheServerOnForgedTokens(t *testing.T) {
	t.Parallel()
	ed, rs := newKey(t, "ed", jwt.SigningMethodEdDSA), newKey(t, "rs", jwt.SigningMethodRS256)
	auth := newIssuer(t, ed, rs)
	for _, f := range forgeries(t, auth, ed, rs) {
		t.Run(f.attack, func(t *testing.T) {
			text, err := explain(t, f.token, "BETTER_AUTH_SECRET", testSecret, "BETTER_AUTH_URL", auth.origin())
			require.ErrorIs(t, err, f.reason, text)
			require.Regexp(t, `^Refused: [^\n]+\.\n`, text)
			require.NotContains(t, text, "%!")
		})
	}
	require.Zero(t, auth.strays.Load())
}

func TestExplainShowsTimesInTheLocalZoneAndNothingThatSteersATerminal(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	payload := fmt.Sprintf(`{"user_id":"a\u202eb\u0007","exp":%d,"x\u009b31m":"`+"\u009b\u202e"+`"}`, at.Unix())
	text, err := explain(t, forge(`{"alg":"HS256","kid":"\u001b[2J"}`, payload), "BETTER_AUTH_SECRET", testSecret)
	require.NoError(t, err)
	require.Contains(t, text, at.Local().Format("2006-01-02 15:04:05"))
	require.Regexp(t, `exp\s+\d+\s+\S+ \S+ \S+, in (59m5\ds|1h0m0s)`, text)
	require.NotRegexp(t, `[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{202e}]`, text)
}
