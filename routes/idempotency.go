package routes

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"

	"github.com/dunglas/httpsfv"
	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes/bind"
)

const headerIdempotencyKey = "Idempotency-Key"

// aKey matches an idempotency key: visible ASCII characters.
var aKey = regexp.MustCompile(`^[!-~]{1,255}$`)

// idempotencyKey returns the key of a request, or nil if it has none: the value of a structured-field string
// (draft-ietf-httpapi-idempotency-key-header), or the same without quotes. Its error is a 400.
func idempotencyKey(c *fiber.Ctx, path string) (*models.IdempotencyKey, error) {
	lines := c.Request().Header.PeekAll(headerIdempotencyKey)
	if len(lines) == 0 {
		return nil, nil
	}
	key := string(lines[0])
	if strings.HasPrefix(key, `"`) {
		item, _ := httpsfv.UnmarshalItem([]string{key})
		key, _ = item.Value.(string)
	}
	if len(lines) > 1 || !aKey.MatchString(key) {
		return nil, badHeader(headerIdempotencyKey)
	}
	digest := sha256.Sum256(c.Request().Body())
	return &models.IdempotencyKey{
		UserID: middleware.UserID(c), Path: path, Key: key, Digest: base64.StdEncoding.EncodeToString(digest[:]),
	}, nil
}

// createOnce creates a row, or answers again what the request that created it with the same key was answered. Of many
// duplicates, only one waits in the database for another server.
func (h *handlers[T, In]) createOnce(c *fiber.Ctx, key models.IdempotencyKey, row T) error {
	release, err := h.turns.Acquire(c.UserContext(), key.Key+" "+key.UserID)
	if err != nil {
		return err
	}
	defer release()
	created, replayed, err := models.CreateOnce(h.db.WithContext(c.UserContext()), key, func(tx *gorm.DB) (models.Created, error) {
		fresh := row // a row that was not committed keeps its id
		if err := models.Insert(tx, &fresh); err != nil {
			return models.Created{}, err
		}
		return h.created(fresh)
	})
	if errors.Is(err, models.ErrOtherBody) {
		return bind.Invalid(bind.ValueError("this key came with another body before").Fault(bind.Quote(key.Key), "header", headerIdempotencyKey))
	}
	if err != nil {
		return err
	}
	if replayed {
		c.Set(middleware.HeaderReplayed, "true")
	}
	return sendCreated(c, created)
}
