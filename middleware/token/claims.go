// Package token signs, verifies and explains the tokens that name a user.
package token

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxUserID is the length of the columns of user ids, in characters.
	maxUserID = 255
	// maxSkew is how far an issuer's clock may be ahead of the server's.
	maxSkew = time.Minute
	// maxTime is the last second of the year 9999, the last that RFC 3339 can write.
	maxTime = 253402300799
)

// claims are the claims of a token (RFC 7519, section 4). Names match exactly, and a repeated name is an error. Each claim that
// the server reads must have the type that it expects.
type claims struct {
	// Always empty, so that the library's own checks do nothing.
	jwt.RegisteredClaims
	members

	keys    *KeySet // verified the signature; nil if a shared secret did
	changes uint64  // how often those keys had changed before
	user    string  // set by Validate
}

// judgedClaims are the only claims that judge may read.
var judgedClaims = []string{"exp", "nbf", "iat", "iss", "aud", "azp", "client_id", "user_id", "sub"}

// judged returns a copy without what judge does not need, and the bytes of its claims.
func (c *claims) judged() (few *claims, size int) {
	few = &claims{members: members{}, keys: c.keys, changes: c.changes}
	for _, name := range judgedClaims {
		if value := c.members[name]; value != nil {
			few.members[name] = value
			size += len(value)
		}
	}
	return few, size
}

// UnmarshalJSON implements json.Unmarshaler for the token library, whose own decoder is not strict.
func (c *claims) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &c.members) }

// Validate implements [jwt.ClaimsValidator]: the library calls it after it has verified the signature.
func (c *claims) Validate() (err error) {
	c.user, err = c.judge(time.Now())
	return err
}

// judge makes all checks of the claims, because the library's own require no claim and ignore a future iat. It returns the
// user, or an error that is a [Reason].
func (c *claims) judge(now time.Time) (user string, err error) {
	if err := c.checkTimes(now); err != nil {
		return "", err
	}
	name := "user_id"
	if c.keys != nil {
		issuer := c.keys.issuer
		if c.text("iss") != issuer.Name {
			return "", WrongIssuer
		}
		known := func(audience string) bool { return slices.Contains(issuer.Audiences, audience) }
		if !slices.ContainsFunc(c.audiences(issuer.AudienceClaim), known) {
			return "", WrongAudience
		}
		if c.members[name] == nil {
			name = "sub"
		}
	}
	user = c.text(name)
	if CheckUserID(user) != nil {
		return "", NoUserID
	}
	return user, nil
}

// audiences returns the members of aud or, if there is no aud, the text in the claim in its place, if one may stand there. It
// returns none if the type is wrong.
func (m members) audiences(instead string) (names jwt.ClaimStrings) {
	switch {
	case m["aud"] == nil && instead != "":
		return jwt.ClaimStrings{m.text(instead)}
	case m["aud"] == nil || names.UnmarshalJSON(m["aud"]) != nil:
		return nil
	}
	return names
}

func (m members) checkTimes(now time.Time) error {
	expiry, err := seconds(m["exp"])
	if err != nil {
		return BadTime // also if it is missing
	}
	if expiry <= unixSeconds(now) {
		return Expired
	}
	for _, begin := range []jsontext.Value{m["nbf"], m["iat"]} {
		if begin == nil {
			continue
		}
		at, err := seconds(begin)
		if err != nil {
			return BadTime
		}
		if at > unixSeconds(now.Add(maxSkew)) {
			return NotYetValid
		}
	}
	return nil
}

// CheckUserID returns an error if id cannot name a user. A user id has 1 to 255 characters of UTF-8, without NUL, and is not
// blank.
func CheckUserID(id string) error {
	blank, long := strings.TrimSpace(id) == "", utf8.RuneCountInString(id) > maxUserID
	if blank || long || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return errors.New("the user id must not be blank, longer than 255 characters, or have characters that cannot be stored")
	}
	return nil
}

// seconds decodes a NumericDate (RFC 7519, section 2).
func seconds(value jsontext.Value) (float64, error) {
	if value.Kind() != '0' {
		return 0, errors.New("a time is not a number")
	}
	at, err := strconv.ParseFloat(string(value), 64)
	if err == nil && (at < -maxTime || at > maxTime) {
		err = errors.New("a time is out of range")
	}
	return at, err
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// Sign returns an HS256 token for a user that expires after ttl.
func Sign(secret, userID string, ttl time.Duration) (string, error) {
	if err := CheckUserID(userID); err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": userID,
		"iat":     now.Unix(),
		"exp":     now.Add(ttl).Unix(),
	}).SignedString([]byte(secret))
}
