package token

import (
	"crypto"
	"crypto/sha256"
	"slices"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxSeen is how many good signatures a verifier remembers, some 100 bytes each.
const maxSeen = 8192

// Verifier judges tokens: those of HS256 under the shared secrets, and those of public keys under the one key of the
// issuer's set that they name. The algorithm alone decides which of the two a token is held against, so that a public
// key is never taken for a secret.
type Verifier struct {
	secrets jwt.VerificationKeySet
	keys    *KeySet
	seen    *lru.Cache[[sha256.Size]byte, crypto.PublicKey]
}

// NewVerifier makes a verifier of secrets, of a key set, or of both; keys may be nil.
func NewVerifier(secrets []string, keys *KeySet) *Verifier {
	v := &Verifier{keys: keys}
	for _, secret := range secrets {
		v.secrets.Keys = append(v.secrets.Keys, []byte(secret))
	}
	v.seen, _ = lru.New[[sha256.Size]byte, crypto.PublicKey](maxSeen) // fails for sizes below 1 alone
	return v
}

// Verify returns the user whom a token names, or the reason why it is not accepted: a [Refusal] or [ErrNoKeySet].
func (v *Verifier) Verify(token string) (userID string, err error) {
	c := &claims{}
	if _, err := jwt.ParseWithClaims(token, c, v.key); err != nil {
		return "", refuse(err)
	}
	return c.user, nil
}

// Handler passes the user of each request's bearer token to accept, and fails requests whose token [Verifier.Verify] would not
// accept, or that have none.
func (v *Verifier) Handler(accept func(c *fiber.Ctx, userID string) error) fiber.Handler {
	return jwtware.New(jwtware.Config{
		Claims:  &claims{},
		KeyFunc: v.key,
		SuccessHandler: func(c *fiber.Ctx) error {
			return accept(c, c.Locals("user").(*jwt.Token).Claims.(*claims).user)
		},
		ErrorHandler: func(_ *fiber.Ctx, err error) error { return refuse(err) },
	})
}

// key finds the keys for a token whose header and claims have been decoded and of which nothing is proven yet.
func (v *Verifier) key(token *jwt.Token) (any, error) {
	// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
	if _, critical := token.Header["crit"]; critical {
		return nil, CriticalExtension
	}
	if token.Method == jwt.SigningMethodHS256 && len(v.secrets.Keys) > 0 {
		return v.secrets, nil
	}
	if v.keys == nil || !slices.Contains(publicAlgorithms, token.Method.Alg()) {
		return nil, WrongAlgorithm
	}
	key, err := v.keys.find(token)
	if err != nil {
		return nil, err
	}
	token.Claims.(*claims).keys = v.keys
	token.Method = verifyOnce{token.Method, v.seen}
	return key, nil
}

// verifyOnce is a signing method that remembers the signatures which it found good, and under which key: checking one
// with a public key costs 20 to 50 times what HMAC does. Everything else about a token, its times and whether its key is
// still published included, is looked at each time, so that nothing is accepted for being remembered.
type verifyOnce struct {
	jwt.SigningMethod
	seen *lru.Cache[[sha256.Size]byte, crypto.PublicKey]
}

// Verify implements [jwt.SigningMethod].
func (v verifyOnce) Verify(signed string, signature []byte, key any) error {
	id := sha256.Sum256(append([]byte(signed+"."), signature...))
	public := key.(interface{ Equal(crypto.PublicKey) bool })
	if good, found := v.seen.Get(id); found && public.Equal(good) {
		return nil
	}
	err := v.SigningMethod.Verify(signed, signature, key)
	if err == nil {
		v.seen.Add(id, key)
	}
	return err
}
