// Package token signs, verifies and explains the tokens that name a user.
package token

import (
	"bytes"
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
	token   string // set by [Verifier.findKey]
	encoded []byte
	members // of encoded, from Validate on

	accepted // set by Validate, but for the keys
}

// accepted is what is known of a token whose signature and claims are right. Of these only its times and its keys can become
// wrong.
type accepted struct {
	user          string
	begin, expiry float64 // in seconds since 1970; begin is the later one of nbf and iat

	keys    *KeySet // verified the signature; nil if a shared secret did
	changes uint64  // how often those keys had changed before
}

// UnmarshalJSON implements json.Unmarshaler for the token library, whose own decoder is not strict. It leaves the decoding to
// [claims.Validate], so that nobody without a key can ask for it.
func (c *claims) UnmarshalJSON(text []byte) error {
	c.encoded = bytes.Clone(text)
	return nil
}

// Validate implements [jwt.ClaimsValidator]: the library calls it after it has verified the signature. It makes all checks of
// the claims, because the library's own require no claim and ignore a future iat, and those of the token's form. Its error is a
// [Reason].
func (c *claims) Validate() error {
	if err := checkForm(c.token); err != nil {
		return err
	}
	if json.Unmarshal(c.encoded, &c.members) != nil {
		return Malformed
	}
	if err := c.readTimes(); err != nil {
		return err
	}
	if err := c.checkTimes(time.Now()); err != nil {
		return err
	}
	name := "user_id"
	if c.keys != nil {
		issuer := c.keys.issuer
		if c.text("iss") != issuer.Name {
			return WrongIssuer
		}
		known := func(audience string) bool { return slices.Contains(issuer.Audiences, audience) }
		if !slices.ContainsFunc(c.audiences(issuer.AudienceClaim), known) {
			return WrongAudience
		}
		if c.members[name] == nil {
			name = "sub"
		}
	}
	c.user = c.text(name)
	if checkUserID(c.user) != nil {
		return NoUserID
	}
	return nil
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

// readTimes reads exp, which must be there, nbf and iat.
func (c *claims) readTimes() (err error) {
	if c.expiry, err = seconds(c.members["exp"]); err != nil {
		return BadTime
	}
	for _, begin := range []jsontext.Value{c.members["nbf"], c.members["iat"]} {
		if begin == nil {
			continue
		}
		at, err := seconds(begin)
		if err != nil {
			return BadTime
		}
		c.begin = max(c.begin, at)
	}
	return nil
}

// checkTimes returns the [Reason] why a token is not valid at a time, or nil.
func (a accepted) checkTimes(now time.Time) error {
	switch seconds := float64(now.UnixMicro()) / 1e6; {
	case a.expiry <= seconds:
		return Expired
	case a.begin > seconds+maxSkew.Seconds():
		return NotYetValid
	}
	return nil
}

// checkUserID returns an error if id cannot name a user. A user id has 1 to 255 characters of UTF-8, without NUL, and is not
// blank.
func checkUserID(id string) error {
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

// Sign returns an HS256 token for a user that expires after ttl.
func Sign(secret, userID string, ttl time.Duration) (string, error) {
	if err := checkUserID(userID); err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": userID,
		"iat":     now.Unix(),
		"exp":     now.Add(ttl).Unix(),
	}).SignedString([]byte(secret))
}
