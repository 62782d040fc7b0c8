package tests

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// issuer is an authentication server that only publishes a key set.
type issuer struct {
	*httptest.Server
	set     atomic.Value // the key set as JSON, []byte
	fetches atomic.Int64
	strays  atomic.Int64 // requests for other paths
	moved   atomic.Pointer[string]
	hang    atomic.Pointer[chan struct{}] // fetches wait until it is closed
}

func newIssuer(t testing.TB, keys ...signingKey) *issuer {
	i := newSilentIssuer(t, keys...)
	i.Start()
	return i
}

// newSilentIssuer makes an issuer that has an address but does not answer until Start is called.
func newSilentIssuer(t testing.TB, keys ...signingKey) *issuer {
	t.Helper()
	i := &issuer{}
	i.publish(t, keys...)
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := i.moved.Load(); to != nil {
			http.Redirect(w, r, *to, http.StatusFound)
			return
		}
		if r.URL.Path != "/api/auth/jwks" {
			i.strays.Add(1)
			return
		}
		i.fetches.Add(1)
		if hang := i.hang.Load(); hang != nil {
			<-*hang
		}
		_, _ = w.Write(i.set.Load().([]byte))
	}))
	t.Cleanup(i.Close)
	return i
}

// origin returns the issuer's address, also before Start.
func (i *issuer) origin() string { return "http://" + i.Listener.Addr().String() }

// publish replaces the key set.
func (i *issuer) publish(t testing.TB, keys ...signingKey) {
	t.Helper()
	members := []any{}
	for _, key := range keys {
		members = append(members, key.jwk(nil))
	}
	i.publishMembers(t, members...)
}

// publishMembers replaces the key set by one of any members.
func (i *issuer) publishMembers(t testing.TB, members ...any) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": append([]any{}, members...)})
	require.NoError(t, err)
	i.set.Store(text)
}

// signingKey is a key of an issuer. declares and use are its alg and use in the set, and may be empty.
type signingKey struct {
	id            string
	method        jwt.SigningMethod
	private       any
	declares, use string
}

// jwk returns the key as a member of a key set. The members in more are added; nil removes a member.
func (k signingKey) jwk(more map[string]any) map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	all := map[string]any{"kid": k.id}
	switch public := k.public().(type) {
	case ed25519.PublicKey:
		maps.Copy(all, map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(public)})
	case *ecdsa.PublicKey:
		point, _ := public.Bytes()
		size := len(point) / 2
		maps.Copy(all, map[string]any{"kty": "EC", "crv": public.Params().Name, "x": encode(point[1 : 1+size]), "y": encode(point[1+size:])})
	case *rsa.PublicKey:
		maps.Copy(all, map[string]any{"kty": "RSA", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())})
	case []byte:
		maps.Copy(all, map[string]any{"kty": "oct", "k": encode(public)})
	}
	for name, value := range map[string]string{"alg": k.declares, "use": k.use} {
		if value != "" {
			all[name] = value
		}
	}
	for name, value := range more {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

func newKey(t testing.TB, id string, method jwt.SigningMethod) signingKey {
	t.Helper()
	var private any
	var err error
	switch method.Alg()[:2] {
	case "Ed":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "ES":
		curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
		private, err = ecdsa.GenerateKey(curves[method.Alg()], rand.Reader)
	case "RS", "PS":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		private = []byte("a symmetric key that somebody published")
	}
	require.NoError(t, err)
	return signingKey{id: id, method: method, private: private}
}

func (k signingKey) public() any {
	if private, ok := k.private.(crypto.Signer); ok {
		return private.Public()
	}
	return k.private
}

// sign makes a token. The header gets the key's alg and kid by default; nil removes a member.
func (k signingKey) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	full := map[string]any{"alg": k.method.Alg(), "kid": k.id}
	for name, value := range header {
		full[name] = value
		if value == nil {
			delete(full, name)
		}
	}
	encode := func(value any) string {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encode(full) + "." + encode(claims)
	signature, err := k.method.Sign(signed, k.private)
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// stock returns the claims of Better Auth's jwt plugin: the user with the id as sub, and no user_id. The claims in more are
// added; nil removes a claim.
func (i *issuer) stock(user string, more map[string]any) map[string]any {
	claims := map[string]any{
		"name": "Ann", "email": "ann@example.com", "emailVerified": false, "id": user, "sub": user,
		"iss": i.origin(), "aud": i.origin(), "iat": time.Now().Unix(), "exp": time.Now().Add(15 * time.Minute).Unix(),
	}
	for name, value := range more {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// bearer returns the header that carries a token.
func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// newServerOf starts the program with an issuer and waits until it has fetched the issuer's keys.
func newServerOf(t testing.TB, i *issuer, databaseURL string, settings ...string) *server {
	t.Helper()
	before := i.fetches.Load()
	s := newServer(t, databaseURL, append([]string{"BETTER_AUTH_URL", i.origin()}, settings...)...)
	require.Eventually(t, func() bool { return i.fetches.Load() > before && s.hasKeys(t) }, waitLimit, time.Millisecond)
	return s
}

// hasKeys reports whether the program has fetched a key set: before that, a public key's token is 503.
func (s *server) hasKeys(t testing.TB) bool {
	t.Helper()
	probe := newKey(t, "probe", jwt.SigningMethodEdDSA).sign(t, nil, nil)
	return s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(probe)}).StatusCode == 401
}
