package routes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/dunglas/httpsfv"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes/bind"
)

const (
	headerIdempotencyKey      = "Idempotency-Key"
	headerIdempotencyReplayed = "Idempotency-Replayed"
)

// aKey matches an idempotency key: visible ASCII characters.
var aKey = regexp.MustCompile(`^[!-~]{1,255}$`)

// idempotencyKey returns a request's key, or "" if it has none: the value of a structured-field string
// (draft-ietf-httpapi-idempotency-key-header), or the same without quotes.
func idempotencyKey(c *fiber.Ctx) (key string, err error) {
	lines := c.Request().Header.PeekAll(headerIdempotencyKey)
	if len(lines) == 0 {
		return "", nil
	}
	key = string(lines[0])
	if strings.HasPrefix(key, `"`) {
		item, _ := httpsfv.UnmarshalItem([]string{key})
		key, _ = item.Value.(string)
	}
	if len(lines) > 1 || !aKey.MatchString(key) {
		return "", badHeader(headerIdempotencyKey)
	}
	return key, nil
}

// createOnce creates a row, or answers again what the request that created it with the same key was answered.
func (h *handlers[T, In]) createOnce(c *fiber.Ctx, text string, row T) error {
	digest := sha256.Sum256(c.Request().Body())
	key := models.IdempotencyKey{UserID: middleware.UserID(c), Path: h.path, Key: text, Digest: base64.StdEncoding.EncodeToString(digest[:])}
	release, err := h.turns.acquire(c.UserContext(), text+" "+key.UserID)
	if err != nil {
		return err
	}
	defer release()
	created, replayed, err := models.CreateOnce(h.db.WithContext(c.UserContext()), key, func(tx *gorm.DB) (models.Created, error) {
		fresh := row // a row that was not committed keeps its id
		if err := tx.Create(&fresh).Error; err != nil {
			return models.Created{}, err
		}
		return h.created(fresh)
	})
	if errors.Is(err, models.ErrOtherBody) {
		return bind.Invalid(bind.ValueError("this key came with another body before").Fault(bind.Quote(text), "header", headerIdempotencyKey))
	}
	if err != nil {
		return err
	}
	if replayed {
		c.Set(headerIdempotencyReplayed, "true")
	}
	return sendCreated(c, created)
}

// turns lets the requests with one key pass one after the other, so that of many duplicates only one waits in the database
// for another server, and holds a connection.
type turns struct {
	mutex sync.Mutex
	keys  map[string]*turn
}

// turn is the one of a key. The channel holds a value while a request has it.
type turn struct {
	taken    chan struct{}
	requests int // that have it or wait for it
}

// acquire waits for the turn of a key until ctx ends. The caller has to release it.
func (t *turns) acquire(ctx context.Context, key string) (release func(), err error) {
	mine := t.enter(key, 1)
	select {
	case mine.taken <- struct{}{}:
		return func() {
			<-mine.taken
			t.enter(key, -1)
		}, nil
	case <-ctx.Done():
		t.enter(key, -1)
		return nil, ctx.Err()
	}
}

// enter adds to the number of requests with a key, or takes away from it, and forgets a key without any.
func (t *turns) enter(key string, requests int) *turn {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	mine := t.keys[key]
	if mine == nil {
		mine = &turn{taken: make(chan struct{}, 1)}
		t.keys[key] = mine
	}
	if mine.requests += requests; mine.requests == 0 {
		delete(t.keys, key)
	}
	return mine
}
