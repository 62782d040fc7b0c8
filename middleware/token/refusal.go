package token

import (
	"errors"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/golang-jwt/jwt/v5"
)

// ErrUnauthenticated is what every [Refusal] is: no token, or one with any fault in it.
var ErrUnauthenticated = errors.New("invalid authentication credentials")

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
	// NoAccount refuses a token that is good still, but whose user has no account, or none any more.
	NoAccount Refusal = "no_account"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Is makes every refusal an [ErrUnauthenticated].
func (Refusal) Is(target error) bool { return target == ErrUnauthenticated }

// refusal finds the reason in an error of the token libraries, if it is not [ErrNoKeySet].
func refusal(err error) error {
	var ours Refusal
	switch {
	case errors.Is(err, ErrNoKeySet):
		return ErrNoKeySet
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, jwtware.ErrJWTMissingOrMalformed):
		return NoToken
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return BadSignature
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return WrongAlgorithm
	}
	return Malformed
}
