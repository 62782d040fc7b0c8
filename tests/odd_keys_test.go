package tests

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/config"
	"taskapi/middleware/token"
)

func encode64(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }

// statusOf asks a server for the tasks of a token's user and returns the status.
func (s *server) statusOf(t testing.TB, token string) int {
	t.Helper()
	return s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(token)}).StatusCode
}

func TestMembersOfAKeyThatAreNotNeededDoNotMatter(t *testing.T) {
	t.Parallel()
	null := json.RawMessage("null")
	for name, more := range map[string]map[string]any{
		"x5t is base64url of the hex digest, as in Auth0's example": {
			"x5t": "RkI0MzI5QjBFRTQyNzk4OTc2MjdEQjc1RDA0MTE3MDQ4RUZDOEI0Rg", "x5c": []string{"MIIC"}, "use": "sig",
		},
		"x5c is no certificate":                 {"x5c": []string{"not a certificate"}},
		"x5c is a text":                         {"x5c": "MIIC"},
		"x5c is empty":                          {"x5c": []string{}},
		"x5t S256 is a number":                  {"x5t#S256": 1},
		"x5u leads nowhere":                     {"x5u": "http://127.0.0.1:1/"},
		"unknown members":                       {"exp": 1, "nbf": "soon", "ext": true, "issuer": map[string]any{"a": nil}},
		"key_ops and use, as Supabase has them": {"key_ops": []string{"verify"}, "use": "sig", "ext": true},
		"an own key_op beside verify":           {"key_ops": []string{"x-own", "verify"}},
		"members that are null":                 {"use": null, "alg": null, "key_ops": null, "d": null},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []jwt.SigningMethod{jwt.SigningMethodEdDSA, jwt.SigningMethodES256, jwt.SigningMethodRS256} {
				key := newKey(t, "k", method)
				auth := newIssuer(t)
				auth.publishMembers(t, key.jwk(more))
				s := newServerOf(t, auth, newSQLite(t))
				require.Equal(t, 200, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))), "%s: %s", method.Alg(), &s.logs)
				require.NotContains(t, s.logs.String(), "left out")
			}
		})
	}
}

// rsaKey returns a key with an RSA modulus of some length and its public exponent.
func rsaKey(t testing.TB, id string, bits int) signingKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return signingKey{id: id, method: jwt.SigningMethodRS256, private: private}
}

func TestAnOddKeyIsLeftOutWithOneWarningAndTheOthersServe(t *testing.T) {
	short, odd := rsaKey(t, "odd", 2040), map[string]signingKey{}
	for _, method := range publicMethods {
		odd[method.Alg()] = newKey(t, "odd", method)
	}
	of := func(alg string, more map[string]any) any { return odd[alg].jwk(more) }
	even := new(big.Int).Lsh(big.NewInt(1), 2047).Bytes()
	for name, c := range map[string]struct {
		member any
		kid    string
		signer signingKey
	}{
		"an EC key without y":               {of("ES256", map[string]any{"y": nil}), "odd", odd["ES256"]},
		"an EC key without crv":             {of("ES256", map[string]any{"crv": nil}), "odd", odd["ES256"]},
		"an EC key beside its curve":        {of("ES256", map[string]any{"y": encode64([]byte{1})}), "odd", odd["ES256"]},
		"an EC key with x too long":         {of("ES256", map[string]any{"x": encode64(bytes.Repeat([]byte{1}, 33))}), "odd", odd["ES256"]},
		"a curve with another's point":      {of("ES256", map[string]any{"crv": "P-384"}), "odd", odd["ES256"]},
		"secp256k1":                         {of("ES256", map[string]any{"crv": "secp256k1"}), "odd", odd["ES256"]},
		"X25519":                            {of("EdDSA", map[string]any{"crv": "X25519"}), "odd", odd["EdDSA"]},
		"Ed25519 with 31 bytes":             {of("EdDSA", map[string]any{"x": encode64(make([]byte, 31))}), "odd", odd["EdDSA"]},
		"Ed25519 without x":                 {of("EdDSA", map[string]any{"x": nil}), "odd", odd["EdDSA"]},
		"x is not base64url":                {of("EdDSA", map[string]any{"x": "!" + encode64(make([]byte, 32))}), "odd", odd["EdDSA"]},
		"RSA of 2,040 bits":                 {short.jwk(nil), "odd", short},
		"RSA without n":                     {of("RS256", map[string]any{"n": nil}), "odd", odd["RS256"]},
		"RSA with an exponent of 1":         {of("RS256", map[string]any{"e": "AQ"}), "odd", odd["RS256"]},
		"RSA with an even exponent":         {of("RS256", map[string]any{"e": "Ag"}), "odd", odd["RS256"]},
		"RSA with an exponent of 64 bits":   {of("RS256", map[string]any{"e": encode64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})}), "odd", odd["RS256"]},
		"RSA with an even modulus":          {of("RS256", map[string]any{"n": encode64(even)}), "odd", odd["RS256"]},
		"an unknown type":                   {of("EdDSA", map[string]any{"kty": "AKP"}), "odd", odd["EdDSA"]},
		"no type":                           {of("EdDSA", map[string]any{"kty": nil}), "odd", odd["EdDSA"]},
		"a type that is a number":           {of("EdDSA", map[string]any{"kty": 1}), "odd", odd["EdDSA"]},
		"a symmetric key":                   {map[string]any{"kty": "oct", "kid": "odd", "k": "AAAA"}, "odd", odd["EdDSA"]},
		"use enc":                           {of("RS256", map[string]any{"use": "enc", "alg": "RSA-OAEP"}), "odd", odd["RS256"]},
		"an own use":                        {of("EdDSA", map[string]any{"use": "x-own"}), "odd", odd["EdDSA"]},
		"a use that is a number":            {of("EdDSA", map[string]any{"use": 5}), "odd", odd["EdDSA"]},
		"key_ops without verify":            {of("EdDSA", map[string]any{"key_ops": []string{"sign", "x-own"}}), "odd", odd["EdDSA"]},
		"empty key_ops":                     {of("EdDSA", map[string]any{"key_ops": []string{}}), "odd", odd["EdDSA"]},
		"key_ops that are a text":           {of("EdDSA", map[string]any{"key_ops": "verify"}), "odd", odd["EdDSA"]},
		"an algorithm of another type":      {of("EdDSA", map[string]any{"alg": "RS256"}), "odd", odd["EdDSA"]},
		"an algorithm that is not accepted": {of("EdDSA", map[string]any{"alg": "HS256"}), "odd", odd["EdDSA"]},
		"a private key":                     {of("EdDSA", map[string]any{"d": encode64(make([]byte, 32))}), "odd", odd["EdDSA"]},
		"a numeric kid":                     {of("EdDSA", map[string]any{"kid": 4711}), "4711", odd["EdDSA"]},
		"no kid":                            {of("EdDSA", map[string]any{"kid": nil}), "missing", odd["EdDSA"]},
		"a text in the list":                {"odd", "missing", odd["EdDSA"]},
		"null in the list":                  {nil, "missing", odd["EdDSA"]},
		"a list in the list":                {[]any{of("EdDSA", nil)}, "missing", odd["EdDSA"]},
		"a member twice": {
			json.RawMessage(`{"kty":"OKP","kid":"odd","crv":"Ed25519","crv":"X25519","x":"AA"}`), "odd", odd["EdDSA"],
		},
		"a name that is not UTF-8": {json.RawMessage("{\"kty\":\"OKP\",\"kid\":\"odd\",\"name\":\"\xff\"}"), "odd", odd["EdDSA"]},
	} {
		t.Run(name, func(t *testing.T) {
			first, last := newKey(t, "first", jwt.SigningMethodEdDSA), newKey(t, "last", jwt.SigningMethodES384)
			auth := newIssuer(t)
			auth.publishMembers(t, first.jwk(nil), c.member, last.jwk(nil))
			s := newServerOf(t, auth, newSQLite(t))
			stranger := newKey(t, "stranger", jwt.SigningMethodEdDSA)
			requireRefusal(t, s, token.UnknownKey, stranger.sign(t, nil, auth.stock("ann", nil))) // fetches again
			require.Greater(t, auth.fetches.Load(), int64(1))
			require.Equal(t, 200, s.statusOf(t, first.sign(t, nil, auth.stock("ann", nil))))
			require.Equal(t, 200, s.statusOf(t, last.sign(t, nil, auth.stock("ann", nil))))
			require.Equal(t, 401, s.statusOf(t, c.signer.sign(t, nil, auth.stock("ann", nil))))
			warnings := s.logs.lines(t, "a key of the key set is left out")
			require.Len(t, warnings, 1)
			require.Equal(t, "WARN", warnings[0]["level"])
			require.Equal(t, c.kid, warnings[0]["kid"])
			require.NotRegexp(t, `failed to.*failed to`, s.logs.String())
		})
	}
}

func TestTwoKeysOfOneIDAreToldApart(t *testing.T) {
	t.Parallel()
	var keys []signingKey
	for _, method := range []jwt.SigningMethod{
		jwt.SigningMethodEdDSA, jwt.SigningMethodRS256, jwt.SigningMethodEdDSA, jwt.SigningMethodES256,
	} {
		keys = append(keys, newKey(t, "same", method))
	}
	enc := newKey(t, "same", jwt.SigningMethodRS256)
	enc.use = "enc"
	auth := newIssuer(t, append([]signingKey{enc}, keys...)...)
	s := newServerOf(t, auth, newSQLite(t))
	for _, key := range keys {
		require.Equal(t, 200, s.statusOf(t, key.sign(t, nil, auth.stock("ann", nil))))
	}
	requireRefusal(t, s, token.BadSignature, enc.sign(t, nil, auth.stock("ann", nil)))
	requireRefusal(t, s, token.WrongKey, newKey(t, "same", jwt.SigningMethodES384).sign(t, nil, auth.stock("ann", nil)))
}

func TestASetWithoutAUsableKeyIsToldApartFromOneOutOfReach(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	for name, members := range map[string][]any{"empty": {}, "all odd": {key.jwk(map[string]any{"use": "enc"})}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			auth := newIssuer(t)
			auth.publishMembers(t, members...)
			signed := key.sign(t, nil, auth.stock("ann", nil))
			s := newServerOf(t, auth, newSQLite(t))
			require.Equal(t, 401, s.statusOf(t, signed))
			require.Contains(t, s.logs.String(), "the key set was fetched, but has no usable key")
			require.NotContains(t, s.logs.String(), "cannot fetch")
			said, err := explain(t, signed, "BETTER_AUTH_URL", auth.origin())
			require.Error(t, err)
			require.Contains(t, said, "no usable key")
			require.NotContains(t, said, "cannot be fetched")
			if len(members) > 0 {
				require.Contains(t, said, `left out: "k": its use is "enc"`)
			}
			auth.publish(t, key) // the right one counts at once, not at the next refresh
			require.Equal(t, 200, s.statusOf(t, signed))
		})
	}
}

// memory is the key set at memory://issuer/, without a network, so that time can be simulated. Without a text it is 502.
type memory struct{ text atomic.Value }

var (
	keysInMemory   memory
	registerMemory = sync.OnceFunc(func() { http.DefaultTransport.(*http.Transport).RegisterProtocol("memory", &keysInMemory) })
)

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	text, status := m.text.Load().(string), http.StatusOK
	if text == "" {
		status = http.StatusBadGateway
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestAWithdrawnKeyIsGoneWithinFiveMinutesWhateverElseIsInTheSet(t *testing.T) {
	registerMemory()
	a, b := newKey(t, "a", jwt.SigningMethodEdDSA), newKey(t, "b", jwt.SigningMethodES256)
	odd := newKey(t, "odd", jwt.SigningMethodES256).jwk(map[string]any{"y": nil})
	set := func(members ...any) string {
		text, err := json.Marshal(map[string]any{"keys": append([]any{}, members...)})
		require.NoError(t, err)
		return string(text)
	}
	for name, c := range map[string]struct {
		next   string
		outage time.Duration // of the first part of each minute, in which refreshes fall
	}{
		"by one with an odd key":         {next: set(b.jwk(nil), odd)},
		"by one without a usable key":    {next: set(odd)},
		"by an empty one":                {next: set()},
		"after an outage at the refresh": {next: set(b.jwk(nil)), outage: 30 * time.Second},
	} {
		// The key is withdrawn at any time between some refreshes. No outage ends at the instant of a fetch.
		for at := 8*time.Minute + time.Second; at < 20*time.Minute; at += 30 * time.Second {
			t.Run(name+", "+at.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					keysInMemory.text.Store(set(a.jwk(nil)))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					issuer := config.Issuer{KeySetURL: "memory://issuer/", Name: "i", Audiences: []string{"tasks"}}
					verifier := token.NewVerifier(nil, token.NewKeySet(ctx, issuer, slog.New(slog.DiscardHandler)))
					accepts := func(key signingKey) bool {
						claims := map[string]any{"iss": "i", "aud": "tasks", "sub": "ann", "exp": time.Now().Add(time.Minute).Unix()}
						_, err := verifier.Verify(key.sign(t, nil, claims))
						return err == nil
					}
					require.True(t, accepts(a))
					time.Sleep(at)
					require.True(t, accepts(a))
					for range 5 {
						keysInMemory.text.Store("")
						time.Sleep(c.outage + time.Second)
						keysInMemory.text.Store(c.next)
						if strings.Contains(name, "odd") {
							require.True(t, accepts(b), "the new key does not count at once")
							require.False(t, accepts(a), "the withdrawn key counts on")
						}
						time.Sleep(time.Minute - time.Second - c.outage)
					}
					require.False(t, accepts(a), "a withdrawn key is trusted after five minutes")
				})
			})
		}
	}
}
