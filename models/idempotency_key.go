package models

import (
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// keyLifetime is how long an idempotency key stands for the row that it created.
const keyLifetime = 24 * time.Hour

// sweptKeys is how many expired keys a creation deletes. Each one adds a single key, so that the expired ones run out.
const sweptKeys = 10

// IdempotencyKey is a key that a client sent with a POST (draft-ietf-httpapi-idempotency-key-header), and the answer that the
// POST got. It belongs to a user, as the rows of owned models do, and is deleted with that user.
type IdempotencyKey struct {
	UserID string `gorm:"size:255;primaryKey"`
	Path   string `gorm:"size:255;primaryKey"`
	Key    string `gorm:"size:255;primaryKey"`
	// Digest is the SHA-256 of the request's body, in base64.
	Digest string `gorm:"size:44;not null"`
	Created
	CreatedAt time.Time `gorm:"not null;index"`
}

// Created is the answer to a POST that created a row.
type Created struct {
	Location string `gorm:"size:300;not null"`
	ETag     string `gorm:"size:30;not null"`
	Body     string `gorm:"not null"`
}

// ErrOtherBody refuses a key that came with another body before.
var ErrOtherBody = errors.New("the idempotency key came with another body before")

// CreateOnce creates an owned row, unless the key has created one in the last 24 hours: then it returns the answer of that
// time, and replayed is true. The row and the key are added in one transaction. The function create, which adds the row, may
// run several times. If several servers use one key at the same time, all but one wait for that one's transaction.
// The error is [ErrOtherBody] if the key's digest is not the one of that time, a 503 if other servers kept adding the key, or one
// of [CreateOwned].
func CreateOnce(db *gorm.DB, key IdempotencyKey, create func(tx *gorm.DB) (Created, error)) (created Created, replayed bool, err error) {
	for range 3 { // a key that another server adds meanwhile is found the next time
		known, err := key.find(db)
		switch {
		case err != nil:
			return Created{}, false, err
		case known.live() && known.Digest != key.Digest:
			return Created{}, false, ErrOtherBody
		case known.live():
			return known.Created, true, nil
		}
		if err = key.add(db, known, create); !errors.Is(err, gorm.ErrDuplicatedKey) {
			return key.Created, false, err
		}
	}
	return Created{}, false, Unavailable(gorm.ErrDuplicatedKey)
}

// live reports whether a key that was found, if one was, still stands for its row.
func (k IdempotencyKey) live() bool { return time.Since(k.CreatedAt) < keyLifetime }

// row starts a statement on the row of a key.
func (k IdempotencyKey) row(db *gorm.DB) *gorm.DB {
	return db.Scopes(OwnedBy(k.UserID)).Where(map[string]any{"path": k.Path, "key": k.Key})
}

// find returns the row of a key, or the zero value if there is none.
func (k IdempotencyKey) find(db *gorm.DB) (known IdempotencyKey, err error) {
	err = k.row(db).Limit(1).Find(&known).Error
	return known, err
}

// add creates the key with its row, in the place of an expired one, and sweeps others.
func (k *IdempotencyKey) add(db *gorm.DB, expired IdempotencyKey, create func(tx *gorm.DB) (Created, error)) error {
	return withAccount(db.Statement.Context, db, k.UserID, func() error {
		return db.Transaction(func(tx *gorm.DB) (err error) {
			if err := k.sweep(tx); err != nil {
				return err
			}
			if expired.UserID != "" {
				if err := k.row(tx).Where("created_at <= ?", expired.CreatedAt).Delete(&IdempotencyKey{}).Error; err != nil {
					return err
				}
			}
			if k.Created, err = create(tx); err != nil {
				return err
			}
			return Insert(tx, k)
		})
	})
}

const distributed = "taskapi:distributed"

// WithDistributedTables marks a database whose rows are on several servers, those of a user on one: [CreateOnce] then works on
// that one alone.
func WithDistributedTables(db *gorm.DB) *gorm.DB {
	return db.Set(distributed, true).Session(&gorm.Session{})
}

// sweep deletes some expired keys of any users, or of the key's own where tables are distributed, but none that another server
// is deleting.
func (k IdempotencyKey) sweep(db *gorm.DB) error {
	db = AcrossOwners(db)
	if _, apart := db.Get(distributed); apart {
		db = db.Where(ownerIs{k.UserID}).Session(&gorm.Session{})
	}
	expired := db.Model(&IdempotencyKey{}).Select("user_id", "path", "key").Where("created_at <= ?", time.Now().UTC().Add(-keyLifetime)).
		Order("created_at").Limit(sweptKeys).Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"})
	return db.Where("(user_id, path, key) IN (?)", expired).Delete(&IdempotencyKey{}).Error
}
