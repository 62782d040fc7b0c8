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
	// fetchTimeout limits a fetch, and so how long a token with an unknown key waits.
	fetchTimeout = 3 * time.Second
	// refreshInterval limits how long a withdrawn key is still trusted.
	refreshInterval = 5 * time.Minute
	// maxRetryWait is the longest wait between attempts at the first fetch.
	maxRetryWait = 5 * time.Second
	// Tokens with unknown keys cause at most unknownBurst fetches at once, and one more per unknownInterval.
	unknownBurst    = 5
	unknownInterval = 10 * time.Second
)

// ErrNoKeySet means that a token cannot be verified, because no fetch of the key set has succeeded since the start.
var ErrNoKeySet = models.Unavailable(errors.New("the issuer's key set has not been fetched yet"))

// KeySet is an issuer's set of public keys (RFC 7517, section 5), fetched over HTTP. While the issuer is down, the keys of the
// last fetch stay valid.
type KeySet struct {
	issuer  config.Issuer
	keys    jwkset.Storage
	lookup  keyfunc.Keyfunc
	client  atomic.Pointer[jwkset.Storage] // refetches the set if asked for an unknown key; nil before the first fetch
	fetches singleflight.Group
	limiter *rate.Limiter
}

// NewKeySet makes the key set of an issuer, and fetches and refreshes it in the background until ctx ends. It does not wait
// for the first fetch, so that a server starts while the issuer is down. Without an issuer it returns nil.
func NewKeySet(ctx context.Context, issuer config.Issuer, log *slog.Logger) *KeySet {
	if issuer.KeySetURL == "" {
		return nil
	}
	keys := emptyKeySet(issuer)
	go keys.fetchUntilSuccess(ctx, log)
	return keys
}

func emptyKeySet(issuer config.Issuer) *KeySet {
	k := &KeySet{issuer: issuer, keys: jwkset.NewMemoryStorage(), limiter: rate.NewLimiter(rate.Every(unknownInterval), unknownBurst)}
	k.lookup, _ = keyfunc.New(keyfunc.Options{Storage: k.keys, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}}) // an error only without storage
	return k
}

// fetchUntilSuccess repeats the first fetch until it succeeds or ctx ends.
func (k *KeySet) fetchUntilSuccess(ctx context.Context, log *slog.Logger) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, maxRetryWait) {
		err := k.fetch(ctx, log)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Warn("cannot fetch the key set", "cause", withoutURL(err))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// fetch makes one attempt at the first fetch. If it succeeds, the set is refreshed until ctx ends.
func (k *KeySet) fetch(ctx context.Context, log *slog.Logger) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	remote, err := jwkset.NewStorageFromHTTP(k.issuer.KeySetURL, jwkset.HTTPClientStorageOptions{
		// Keys come only from this URL: a redirect is not followed and is not a key set.
		Client: &http.Client{Transport: keySetTransport{}, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		Ctx:             ctx,
		HTTPTimeout:     fetchTimeout,
		RefreshInterval: refreshInterval,
		RefreshErrorHandler: func(_ context.Context, err error) {
			log.Warn("cannot refresh the key set", "cause", withoutURL(err))
		},
		Storage: k.keys,
	})
	if err != nil {
		return err
	}
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{k.issuer.KeySetURL: remote},
		RateLimitWaitMax:  fetchTimeout,                 // also limits the fetch
		RefreshUnknownKID: rate.NewLimiter(rate.Inf, 0), // find has its own limit, which makes no request wait
	})
	if err == nil {
		k.client.Store(&client)
	}
	return err
}

// find returns the key that a token names. If the key is unknown, it fetches the set again; concurrent requests share one
// fetch.
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
	case err != nil || !fits(token.Method.Alg(), key):
		return nil, WrongKey
	}
	return key, nil
}

// publicAlgorithms are the algorithms that are accepted with a key of a set.
var publicAlgorithms = []string{"EdDSA", "ES256", "ES512", "RS256", "PS256"}

// fits reports whether a key has the type that an algorithm needs (RFC 7518, section 3.1; RFC 8037, section 3.1).
func fits(algorithm string, key any) bool {
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
