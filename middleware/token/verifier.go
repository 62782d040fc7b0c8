package token

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxAccepted is how many tokens a verifier remembers, about 300 bytes each.
const maxAccepted = 8192

// Verifier verifies tokens: HS256 with the shared secrets, public algorithms with the key of the set that the token names.
// Only the algorithm decides between the two, so that a public key is never used as a secret.
type Verifier struct {
	secrets jwt.VerificationKeySet
	keys    *KeySet
	// accepted are the accepted tokens, by their digests. The tokens themselves are not kept.
	accepted *lru.Cache[[sha256.Size]byte, accepted]
}

// NewVerifier makes a verifier of secrets, of a key set, or of both; keys may be nil.
func NewVerifier(secrets []string, keys *KeySet) *Verifier {
	jwt.RegisterSigningMethod("Ed25519", func() jwt.SigningMethod { return jwt.SigningMethodEdDSA }) // RFC 9864, section 2.2
	v := &Verifier{keys: keys}
	for _, secret := range secrets {
		v.secrets.Keys = append(v.secrets.Keys, []byte(secret))
	}
	v.accepted, _ = lru.New[[sha256.Size]byte, accepted](maxAccepted) // an error only for sizes below 1
	return v
}

// Verify returns the user of a token, or a 401 whose cause is a [Reason], or [ErrNoKeySet].
func (v *Verifier) Verify(token string) (userID string, err error) {
	c := &claims{}
	if _, err := jwt.ParseWithClaims(token, c, v.findKey); err != nil {
		return "", refuse(err)
	}
	return c.user, nil
}

// Handler verifies the bearer token of each request and gives its user to accept. Its errors are those of [Verifier.Verify].
// A token that it has accepted before is not decoded and verified again, unless the key set has changed. Its times are checked
// at each request.
func (v *Verifier) Handler(accept func(c *fiber.Ctx, userID string)) fiber.Handler {
	return jwtware.New(jwtware.Config{
		Claims:  &claims{},
		KeyFunc: v.findKey,
		Filter: func(c *fiber.Ctx) bool {
			digest, bearer := digest(c)
			known, found := v.accepted.Get(digest)
			if !bearer || !found || known.keys.changedSince(known.changes) || known.checkTimes(time.Now()) != nil {
				return false
			}
			accept(c, known.user)
			return true
		},
		SuccessHandler: func(c *fiber.Ctx) error {
			fresh := c.Locals("user").(*jwt.Token).Claims.(*claims).accepted
			digest, _ := digest(c)
			v.accepted.Add(digest, fresh)
			accept(c, fresh.user)
			return c.Next()
		},
		ErrorHandler: func(_ *fiber.Ctx, err error) error { return refuse(err) },
	})
}

// digest returns the SHA-256 digest of the token in the Authorization header, and whether its scheme is Bearer.
func digest(c *fiber.Ctx) (sum [sha256.Size]byte, bearer bool) {
	scheme, token, _ := bytes.Cut(c.Request().Header.Peek(fiber.HeaderAuthorization), []byte(" "))
	return sha256.Sum256(bytes.TrimSpace(token)), bytes.EqualFold(scheme, []byte("Bearer"))
}

// types are the values of typ that a token may have (RFC 7519, section 5.1; RFC 9068, section 2.1).
var types = []string{"jwt", "at+jwt", "application/jwt", "application/at+jwt"}

// checkForm makes the checks of a token that the library does not: each part has one spelling only, each member of the header
// occurs once, and the token is of a known type and needs no extension. The token has three parts and no line breaks.
func checkForm(token string) error {
	parts := strings.Split(token, ".")
	var header struct {
		Type     jsontext.Value `json:"typ"`
		Critical jsontext.Value `json:"crit"`
	}
	err := decodePart(parts[0], &header)
	for _, part := range parts[1:] {
		if err == nil {
			_, err = base64url.DecodeString(part)
		}
	}
	switch {
	case err != nil:
		return Malformed
	case header.Critical != nil:
		return CriticalExtension // RFC 7515, section 4.1.11
	case header.Type != nil && !slices.Contains(types, strings.ToLower(textOf(header.Type))):
		return WrongType
	}
	return nil
}

// findKey is a [jwt.Keyfunc]: it returns the keys for a token that is decoded but not yet verified. It refuses line breaks.
func (v *Verifier) findKey(token *jwt.Token) (any, error) {
	c := token.Claims.(*claims)
	if c.token = token.Raw; strings.ContainsAny(c.token, "\r\n") {
		return nil, Malformed // the decoders of base64url skip them
	}
	if token.Method == jwt.SigningMethodHS256 && len(v.secrets.Keys) > 0 {
		return v.secrets, nil
	}
	if v.keys == nil || !slices.Contains(publicAlgorithms, token.Method.Alg()) {
		return nil, WrongAlgorithm
	}
	c.keys, c.changes = v.keys, v.keys.changes.Load() // of the keys that find reads, or earlier ones
	keys, err := v.keys.find(token)
	if err != nil {
		return nil, err
	}
	// The library accepts a salt of any length. RFC 7518, section 3.5, requires the length of the hash.
	if pss, ok := token.Method.(*jwt.SigningMethodRSAPSS); ok {
		token.Method = &jwt.SigningMethodRSAPSS{SigningMethodRSA: pss.SigningMethodRSA, Options: pss.Options}
	}
	return keys, nil
}
