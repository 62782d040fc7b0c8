package token

import (
	"errors"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/golang-jwt/jwt/v5"

	"taskapi/models"
)

// Refusal is the reason why a request was not let in, one of a fixed vocabulary. It is for the log; clients are not told.
type Refusal string

// The reasons.
const (
	NoToken           Refusal = "no_token"
	SeveralTokens     Refusal = "several_tokens"
	Malformed         Refusal = "malformed"
	WrongAlgorithm    Refusal = "wrong_algorithm"
	CriticalExtension Refusal = "critical_extension"
	NoKeyID           Refusal = "no_key_id"
	UnknownKey        Refusal = "unknown_key"
	WrongKey          Refusal = "wrong_key"
	BadSignature      Refusal = "bad_signature"
	Expired           Refusal = "expired"
	NotYetValid       Refusal = "not_yet_valid"
	BadTime           Refusal = "bad_time"
	WrongIssuer       Refusal = "wrong_issuer"
	WrongAudience     Refusal = "wrong_audience"
	NoUserID          Refusal = "no_user_id"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// refuse returns the error with which a request is refused, given one of the token libraries or of this package.
func refuse(err error) *models.Error {
	reason := Malformed
	switch {
	case errors.Is(err, ErrNoKeySet):
		return ErrNoKeySet
	case errors.As(err, &reason):
	case errors.Is(err, jwtware.ErrJWTMissingOrMalformed):
		reason = NoToken
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		reason = BadSignature
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		reason = WrongAlgorithm
	}
	return models.Unauthenticated(reason)
}
