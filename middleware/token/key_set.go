package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"taskapi/config"
	"taskapi/models"
)

const (
	// fetchTimeout limits a fetch, and so how long a token with an unknown key waits.
	fetchTimeout = 3 * time.Second
	// refreshInterval leaves a minute for failed fetches: a withdrawn key is not trusted longer than five minutes.
	refreshInterval = 4 * time.Minute
	// maxRetryWait is the longest wait after a failed fetch.
	maxRetryWait = 30 * time.Second
	// maxKeySet is the largest key set, in bytes after decompression.
	maxKeySet = 1 << 20
	// Tokens cause at most fetchBurst fetches at once, and one more per firstInterval until one has succeeded, then per
	// unknownInterval.
	fetchBurst      = 5
	firstInterval   = time.Second
	unknownInterval = 10 * time.Second
)

var (
	// ErrNoKeySet means that a token cannot be verified, because no fetch of the key set has succeeded since the start.
	ErrNoKeySet = models.Unavailable(errors.New("the issuer's key set has not been fetched yet"))

	errTooOften = errors.New("the key set was fetched too often of late")
)

// KeySet is an issuer's set of public keys (RFC 7517, section 5), fetched over HTTP. While the issuer is down, the keys of the
// last fetch stay valid. Members of the set that cannot be used are left out and logged.
type KeySet struct {
	issuer         config.Issuer
	log            *slog.Logger
	keys           atomic.Value  // of publishedKeys
	changes        atomic.Uint64 // how often keys has changed, counted after the change
	fetches        singleflight.Group
	first, unknown *rate.Limiter // of fetches for tokens: before a fetch has succeeded, and after it
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
	first := rate.NewLimiter(rate.Every(firstInterval), fetchBurst)
	return &KeySet{issuer: issuer, log: log, first: first, unknown: rate.NewLimiter(rate.Every(unknownInterval), fetchBurst)}
}

// published returns the members of the set, or nil if no fetch has succeeded yet.
func (k *KeySet) published() publishedKeys {
	keys, _ := k.keys.Load().(publishedKeys)
	return keys
}

// refresh fetches the set until ctx ends: every [refreshInterval], and after a failure sooner.
func (k *KeySet) refresh(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, maxRetryWait) {
		_, err, _ := k.fetches.Do("", func() (any, error) { return nil, k.fetch(ctx) })
		if err == nil {
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
	set, err := k.request(ctx)
	before, keys := k.published(), publishedKeys{}
	switch {
	case err != nil && before != nil:
		k.log.Warn("cannot refresh the key set", "cause", err.Error())
	case err != nil && ctx.Err() == nil:
		k.log.Warn("cannot fetch the key set", "cause", err.Error())
	}
	if err != nil {
		return err
	}
	for _, member := range set {
		kid, key := parseKey(member)
		if key.fault != "" && !before.has(kid, key.fault) && !keys.has(kid, key.fault) {
			k.log.Warn("a key of the key set is left out", "kid", kid, "cause", key.fault)
		}
		keys[kid] = append(keys[kid], key)
	}
	if usable, _ := keys.describe(); usable == nil {
		k.log.Warn("the key set was fetched, but has no usable key")
	}
	if !reflect.DeepEqual(before, keys) {
		k.keys.Store(keys)
		k.changes.Add(1)
	}
	return nil
}

// changedSince reports whether the keys have changed since their count of changes was the given one: keys may be withdrawn or
// replaced. Without a key set nothing changes.
func (k *KeySet) changedSince(changes uint64) bool { return k != nil && k.changes.Load() != changes }

// request returns the members of the set that the issuer publishes. Its errors are without the URL, whose query may hold a
// secret.
func (k *KeySet) request(ctx context.Context) ([]jsontext.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.issuer.KeySetURL, http.NoBody)
	if err != nil {
		return nil, errors.New("the URL is not valid")
	}
	response, err := http.DefaultTransport.RoundTrip(request) // unlike a client, follows no redirect
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	err = json.UnmarshalRead(io.LimitReader(response.Body, maxKeySet), &set, lenient)
	if err != nil || response.StatusCode != http.StatusOK || set.Keys == nil {
		return nil, fmt.Errorf("the answer, with the status %d, is not a key set", response.StatusCode)
	}
	return set.Keys, nil
}

// find returns the keys that a token names and that verify its algorithm: most often one.
func (k *KeySet) find(token *jwt.Token) (found jwt.VerificationKeySet, err error) {
	kid, _ := token.Header["kid"].(string)
	if kid == "" {
		return found, NoKeyID
	}
	published, algorithm := k.published(), token.Method.Alg()
	if found.Keys = published.fitting(kid, algorithm); found.Keys == nil {
		published = k.fetchFor(kid, algorithm)
		found.Keys = published.fitting(kid, algorithm)
	}
	switch {
	case published == nil:
		err = ErrNoKeySet
	case published[kid] == nil:
		err = UnknownKey
	case found.Keys == nil:
		err = WrongKey
	}
	return found, err
}

// fetchFor fetches the set for a token that no key fits, and returns it; concurrent tokens share one fetch. A fetch that was
// already in flight may be too old, so that another one follows it. All of it takes at most [fetchTimeout].
func (k *KeySet) fetchFor(kid, algorithm string) (published publishedKeys) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	for own := false; !own && published.fitting(kid, algorithm) == nil && ctx.Err() == nil; published = k.published() {
		_, _, _ = k.fetches.Do("", func() (any, error) {
			own = true
			if k.published() == nil && k.first.Wait(ctx) == nil || k.published() != nil && k.unknown.Allow() {
				return nil, k.fetch(ctx)
			}
			return nil, errTooOften
		})
	}
	return published
}
