package token

import (
	"errors"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/golang-jwt/jwt/v5"

	"taskapi/models"
)

// Reason is why a request is answered 401. It is for the log and the metrics; clients do not see it.
type Reason string

// The reasons.
const (
	NoToken           Reason = "no_token"
	SeveralTokens     Reason = "several_tokens"
	Malformed         Reason = "malformed"
	WrongAlgorithm    Reason = "wrong_algorithm"
	WrongType         Reason = "wrong_type"
	CriticalExtension Reason = "critical_extension"
	NoKeyID           Reason = "no_key_id"
	UnknownKey        Reason = "unknown_key"
	WrongKey          Reason = "wrong_key"
	BadSignature      Reason = "bad_signature"
	Expired           Reason = "expired"
	NotYetValid       Reason = "not_yet_valid"
	BadTime           Reason = "bad_time"
	WrongIssuer       Reason = "wrong_issuer"
	WrongAudience     Reason = "wrong_audience"
	NoUserID          Reason = "no_user_id"
)

// Error implements error.
func (r Reason) Error() string { return string(r) }

// refuse turns an error of the token libraries or of this package into the answer to the client.
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
