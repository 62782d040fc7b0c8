package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"taskapi/config"
	"taskapi/models"
)

const (
	// fetchTimeout bounds one fetch of a key set, and so what a token that names an unknown key waits at most.
	fetchTimeout = 3 * time.Second
	// refreshInterval bounds how long a key is trusted that its issuer has withdrawn.
	refreshInterval = 5 * time.Minute
	// slowestRetry is the longest wait between two attempts at the first fetch.
	slowestRetry = 5 * time.Second
	// unknownBurst is how many fetches tokens with unknown keys may cause at once, and one more each unknownInterval.
	unknownBurst    = 5
	unknownInterval = 10 * time.Second
)

// ErrNoKeySet says that a token cannot be judged, because its issuer could not be reached since the start.
var ErrNoKeySet = models.Unavailable(errors.New("the issuer's key set has not been fetched yet"))

// KeySet is an issuer's set of public keys (RFC 7517, section 5). It is fetched over HTTP and kept: while the issuer is
// down, the keys that it published last count.
type KeySet struct {
	issuer  config.Issuer
	keys    jwkset.Storage
	lookup  keyfunc.Keyfunc
	client  atomic.Pointer[jwkset.Storage] // fetches the set anew when it is asked for a key that is unknown
	fetches singleflight.Group
	limiter *rate.Limiter
}

// KeepKeySet makes the key set of an issuer, nil if there is none, and fetches and refreshes it in the background until
// ctx ends. It waits for nothing, so that a server starts and serves while the issuer is down.
func KeepKeySet(ctx context.Context, issuer config.Issuer, log *slog.Logger) *KeySet {
	if issuer.KeySetURL == "" {
		return nil
	}
	keys := newKeySet(issuer)
	go keys.keep(ctx, log)
	return keys
}

func newKeySet(issuer config.Issuer) *KeySet {
	k := &KeySet{issuer: issuer, keys: jwkset.NewMemoryStorage(), limiter: rate.NewLimiter(rate.Every(unknownInterval), unknownBurst)}
	k.lookup, _ = keyfunc.New(keyfunc.Options{Storage: k.keys, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}}) // fails without storage alone
	return k
}

// keep fetches the set, again and again until it is there.
func (k *KeySet) keep(ctx context.Context, log *slog.Logger) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, slowestRetry) {
		err := k.start(ctx, log)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Warn("cannot fetch the key set", "cause", cause(err))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// start makes one attempt at the first fetch. If it succeeds, the set is refreshed until ctx ends.
func (k *KeySet) start(ctx context.Context, log *slog.Logger) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	remote, err := jwkset.NewStorageFromHTTP(k.issuer.KeySetURL, jwkset.HTTPClientStorageOptions{
		// The keys come from that very URL: a redirection is an answer like any other that holds none.
		Client: &http.Client{Transport: keySetTransport{}, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		Ctx:             ctx,
		HTTPTimeout:     fetchTimeout,
		RefreshInterval: refreshInterval,
		RefreshErrorHandler: func(_ context.Context, err error) {
			log.Warn("cannot refresh the key set", "cause", cause(err))
		},
		Storage: k.keys,
	})
	if err != nil {
		return err
	}
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{k.issuer.KeySetURL: remote},
		RateLimitWaitMax:  fetchTimeout,                 // bounds the fetch, too
		RefreshUnknownKID: rate.NewLimiter(rate.Inf, 0), // find has a limit of its own, at which no request waits
	})
	if err == nil {
		k.client.Store(&client)
	}
	return err
}

// find returns the key that a token names. Of requests that name an unknown one at once, one fetches the set and the
// others wait for it.
func (k *KeySet) find(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	if id == "" {
		return nil, NoKeyID
	}
	client := k.client.Load()
	if client == nil {
		return nil, ErrNoKeySet
	}
	key, err := k.lookup.Keyfunc(token)
	if errors.Is(err, jwkset.ErrKeyNotFound) {
		_, _, _ = k.fetches.Do("", func() (any, error) {
			if k.limiter.Allow() {
				_, _ = (*client).KeyRead(context.Background(), id)
			}
			return nil, nil
		})
		key, err = k.lookup.Keyfunc(token)
	}
	switch {
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return nil, UnknownKey
	case err != nil || !suits(token.Method.Alg(), key):
		return nil, WrongKey
	}
	return key, nil
}

// publicAlgorithms are those that a key of a set may be used with.
var publicAlgorithms = []string{"EdDSA", "ES256", "ES512", "RS256", "PS256"}

// suits tells whether a key is of the type that an algorithm demands (RFC 7518, section 3.1; RFC 8037, section 3.1).
func suits(algorithm string, key any) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	case *ecdsa.PublicKey:
		return algorithm == "ES256" && key.Curve == elliptic.P256() || algorithm == "ES512" && key.Curve == elliptic.P521()
	case *rsa.PublicKey:
		return algorithm == "RS256" || algorithm == "PS256"
	}
	return false
}
