package token

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// minModulus is the shortest RSA modulus, in bits (RFC 7518, section 3.3).
const minModulus = 2048

// publicAlgorithms are the algorithms that are accepted with a key of a set.
var (
	publicAlgorithms = append([]string{"EdDSA", "ES256", "ES384", "ES512"}, rsaAlgorithms...)
	rsaAlgorithms    = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
)

// canonical returns EdDSA for Ed25519, the name that RFC 9864 gave to EdDSA with keys of that type.
func canonical(algorithm string) string {
	if algorithm == "Ed25519" {
		return "EdDSA"
	}
	return algorithm
}

// jwk has the members of a published key that matter (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).
// Others, such as certificates, are ignored.
type jwk struct {
	Kty    string         `json:"kty"`
	Crv    string         `json:"crv"`
	N      string         `json:"n"`
	E      string         `json:"e"`
	X      string         `json:"x"`
	Y      string         `json:"y"`
	D      jsontext.Value `json:"d"`
	Kid    string         `json:"kid"`
	Alg    string         `json:"alg"`
	Use    string         `json:"use"`
	KeyOps []string       `json:"key_ops"`
}

// publicKey is a member of a key set: a key and the algorithms that it verifies, or why it verifies none.
type publicKey struct {
	key        crypto.PublicKey
	algorithms []string
	fault      string
}

// publishedKeys are the members of a key set by their kid.
type publishedKeys map[string][]publicKey

// describe returns the names of the keys that verify something, and those of the others with the reason.
func (p publishedKeys) describe() (usable, leftOut []string) {
	for _, id := range slices.Sorted(maps.Keys(p)) {
		for _, key := range p[id] {
			if key.fault == "" {
				usable = append(usable, fmt.Sprintf("%q", id))
			} else {
				leftOut = append(leftOut, fmt.Sprintf("%q: %s", id, key.fault))
			}
		}
	}
	return usable, leftOut
}

// has reports whether a key is left out for a reason.
func (p publishedKeys) has(kid, fault string) bool {
	return slices.ContainsFunc(p[kid], func(key publicKey) bool { return key.fault == fault })
}

// fitting returns the keys with an id that verify an algorithm.
func (p publishedKeys) fitting(kid, algorithm string) (keys []jwt.VerificationKey) {
	for _, key := range p[kid] {
		if slices.Contains(key.algorithms, algorithm) {
			keys = append(keys, key.key)
		}
	}
	return keys
}

// lenient options decode the JSON around a faulty member of a key set.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// parseKey returns a member of a key set and its kid, as JSON if it is not a text.
func parseKey(text jsontext.Value) (kid string, key publicKey) {
	var all members
	var m jwk
	_ = json.Unmarshal(text, &all, lenient)
	kid = cmp.Or(all.text("kid"), printable(all["kid"]))
	err := json.Unmarshal(text, &m)
	public, algorithms := m.public()
	if alg := canonical(m.Alg); alg != "" {
		algorithms = slices.DeleteFunc(slices.Clone(algorithms), func(other string) bool { return other != alg })
	}
	switch {
	case err != nil || m.Kid == "":
		key.fault = "it is not an object with a kid whose members have the right types"
	case m.Use != "" && m.Use != "sig":
		key.fault = fmt.Sprintf("its use is %q", m.Use)
	case m.KeyOps != nil && !slices.Contains(m.KeyOps, "verify"):
		key.fault = fmt.Sprintf("its key_ops are %q", m.KeyOps)
	case m.D != nil && m.D.Kind() != 'n':
		key.fault = "its private part is published"
	case public == nil:
		key.fault = fmt.Sprintf("it is not a sound key: RSA of at least %d bits, EC on P-256, P-384 or P-521, or Ed25519", minModulus)
	case len(algorithms) == 0:
		key.fault = fmt.Sprintf("its type is not one for its algorithm, %q", m.Alg)
	default:
		key.key, key.algorithms = public, algorithms
	}
	return kid, key
}

// curves are the curves of EC keys, each with the algorithm that it is for.
var curves = map[string]struct {
	elliptic.Curve
	algorithm string
}{"P-256": {elliptic.P256(), "ES256"}, "P-384": {elliptic.P384(), "ES384"}, "P-521": {elliptic.P521(), "ES512"}}

// public returns the key and the algorithms of its type, or nil if it is not a sound key of a known type.
func (m jwk) public() (crypto.PublicKey, []string) {
	n, e, x, y := toInt(decode(m.N)), toInt(decode(m.E)), decode(m.X), decode(m.Y)
	curve, known := curves[m.Crv]
	switch {
	case m.Kty == "RSA" && n.BitLen() >= minModulus && n.Bit(0) == 1 && e.BitLen() > 1 && e.BitLen() < 32 && e.Bit(0) == 1:
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, rsaAlgorithms
	case m.Kty == "OKP" && m.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), []string{"EdDSA"}
	case m.Kty == "EC" && known && max(toInt(x).BitLen(), toInt(y).BitLen()) <= curve.Params().BitSize:
		size := (curve.Params().BitSize + 7) / 8
		point := slices.Concat([]byte{4}, toInt(x).FillBytes(make([]byte, size)), toInt(y).FillBytes(make([]byte, size)))
		if key, err := ecdsa.ParseUncompressedPublicKey(curve.Curve, point); err == nil {
			return key, []string{curve.algorithm}
		}
	}
	return nil, nil
}

// decode returns nil for what is not base64url.
func decode(text string) []byte {
	bytes, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil
	}
	return bytes
}

func toInt(bytes []byte) *big.Int { return new(big.Int).SetBytes(bytes) }
