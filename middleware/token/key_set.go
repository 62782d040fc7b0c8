package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/go-json-experiment/json"
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
	// maxKeySet is the largest key set, in bytes after decompression.
	maxKeySet = 1 << 20
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
	log     *slog.Logger
	keys    jwkset.Storage
	lookup  keyfunc.Keyfunc
	fetched atomic.Bool // once
	fetches singleflight.Group
	limiter *rate.Limiter // of fetches for unknown keys
}

// NewKeySet makes the key set of an issuer, and fetches and refreshes it in the background until ctx ends. It does not wait
// for the first fetch, so that a server starts while the issuer is down. Without an issuer it returns nil.
func NewKeySet(ctx context.Context, issuer config.Issuer, log *slog.Logger) *KeySet {
	if issuer.KeySetURL == "" {
		return nil
	}
	keys := emptyKeySet(issuer, log)
	go keys.refresh(ctx)
	return keys
}

func emptyKeySet(issuer config.Issuer, log *slog.Logger) *KeySet {
	limiter := rate.NewLimiter(rate.Every(unknownInterval), unknownBurst)
	k := &KeySet{issuer: issuer, log: log, keys: jwkset.NewMemoryStorage(), limiter: limiter}
	k.lookup, _ = keyfunc.New(keyfunc.Options{Storage: k.keys, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}}) // an error only without storage
	return k
}

// refresh fetches the set until ctx ends: until the first success after short waits, then every [refreshInterval].
func (k *KeySet) refresh(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, maxRetryWait) {
		_ = k.fetch(ctx)
		if k.fetched.Load() {
			wait = refreshInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// fetch replaces the keys by those that the issuer publishes. If it fails, the keys stay.
func (k *KeySet) fetch(ctx context.Context) error {
	err := k.replaceKeys(ctx)
	switch {
	case err == nil:
		k.fetched.Store(true)
	case k.fetched.Load():
		k.log.Warn("cannot refresh the key set", "cause", err.Error())
	case ctx.Err() == nil:
		k.log.Warn("cannot fetch the key set", "cause", err.Error())
	}
	return err
}

// replaceKeys returns errors without the URL, whose query may hold a secret. Keys of types that the program does not know are
// left out.
func (k *KeySet) replaceKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.issuer.KeySetURL, http.NoBody)
	if err != nil {
		return errors.New("the URL is not valid")
	}
	response, err := http.DefaultTransport.RoundTrip(request) // unlike a client, follows no redirect
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var set jwkset.JWKSMarshal
	err = json.UnmarshalRead(io.LimitReader(response.Body, maxKeySet), &set)
	if err != nil || response.StatusCode != http.StatusOK || set.Keys == nil {
		return errors.New("the answer is not a key set")
	}
	var keys []jwkset.JWK
	for _, published := range set.Keys {
		key, err := jwkset.NewJWKFromMarshal(published, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err == nil {
			keys = append(keys, key)
		} else if !errors.Is(err, jwkset.ErrUnsupportedKey) {
			return err
		}
	}
	return k.keys.KeyReplaceAll(ctx, keys)
}

// find returns the key that a token names. If the key is unknown, it fetches the set again; concurrent requests share one
// fetch.
func (k *KeySet) find(token *jwt.Token) (any, error) {
	if id, _ := token.Header["kid"].(string); id == "" {
		return nil, NoKeyID
	}
	if !k.fetched.Load() {
		return nil, ErrNoKeySet
	}
	key, err := k.lookup.Keyfunc(token)
	if errors.Is(err, jwkset.ErrKeyNotFound) {
		_, _, _ = k.fetches.Do("", func() (any, error) {
			if k.limiter.Allow() {
				return nil, k.fetch(context.Background())
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
