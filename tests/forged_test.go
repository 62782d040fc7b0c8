package tests

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// forgery is a token that an attacker could send, and the expected reason of its refusal.
type forgery struct {
	attack string
	reason token.Reason
	token  string
}

// forgeries returns attacks on a server that trusts a secret and the key set of an issuer. All claim to be "ann".
func forgeries(t testing.TB, auth *issuer, ed, rs signingKey) (all []forgery) {
	add := func(attack string, reason token.Reason, token string) {
		all = append(all, forgery{attack, reason, token})
	}
	encode := base64.RawURLEncoding.EncodeToString
	payload := func(more map[string]any) string {
		text, err := json.Marshal(auth.stock("ann", more))
		require.NoError(t, err)
		return string(text)
	}
	owner := map[string]any{"user_id": "ann"} // valid for HS256 as well
	signed := ed.sign(t, nil, auth.stock("ann", owner))
	text, signature := cutSignature(signed)

	for _, none := range []string{"none", "None", "NONE", "nOnE", "nonE", " none", "none\u0000", ""} {
		header, err := json.Marshal(map[string]string{"alg": none, "kid": ed.id})
		require.NoError(t, err)
		unsigned := encode(header) + "." + encode([]byte(payload(owner))) + "."
		add("algorithm "+none+" without a signature", token.WrongAlgorithm, unsigned)
		add("algorithm "+none+" with the signature of another token", token.WrongAlgorithm, unsigned+signature)
	}

	public := rs.public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	jwkText, err := json.Marshal(rs.jwk(nil))
	require.NoError(t, err)
	for name, secret := range map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": jwkText, "modulus": public.N.Bytes(),
		"PKCS #1": x509.MarshalPKCS1PublicKey(public), "an Ed25519 key": ed.public().(ed25519.PublicKey), "nothing": {}, "the kid": []byte(rs.id),
	} {
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
			confused := signingKey{id: rs.id, method: method, private: secret}
			reason := token.BadSignature
			if method == jwt.SigningMethodHS512 {
				reason = token.WrongAlgorithm
			}
			add(method.Alg()+" with the public key as the secret: "+name, reason, confused.sign(t, nil, auth.stock("ann", owner)))
		}
	}
	hmac := signingKey{id: rs.id, method: jwt.SigningMethodHS256, private: []byte(testSecret)}
	for _, alg := range publicMethods {
		reason := token.WrongKey
		if strings.Contains(alg.Alg(), "S") && !strings.HasPrefix(alg.Alg(), "E") {
			reason = token.BadSignature
		}
		add("an HMAC of the secret as a signature of "+alg.Alg(), reason,
			hmac.sign(t, map[string]any{"alg": alg.Alg()}, auth.stock("ann", owner)))
	}

	attackers := newKey(t, ed.id, jwt.SigningMethodEdDSA)
	for name, header := range map[string]any{
		"jwk": attackers.jwk(map[string]any{"kid": "own"}), "jku": auth.origin() + "/own",
		"x5u": auth.origin() + "/own.pem", "x5c": []string{encode(der)},
	} {
		add("a key of the attacker in the header: "+name, token.BadSignature,
			attackers.sign(t, map[string]any{name: header}, auth.stock("ann", nil)))
		add("a key of the attacker in the header, unnamed: "+name, token.NoKeyID,
			attackers.sign(t, map[string]any{name: header, "kid": nil}, auth.stock("ann", nil)))
	}
	for _, kid := range []any{
		"../../../../dev/null", "/dev/null", "' OR '1'='1", "k' UNION SELECT 'x",
		auth.origin() + "/own", "$(id)", "k\u0000", " " + ed.id, strings.Repeat("k", 4000),
	} {
		add(fmt.Sprintf("the kid %.40q", kid), token.UnknownKey, attackers.sign(t, map[string]any{"kid": kid}, auth.stock("ann", nil)))
	}
	for _, kid := range []any{"", 1, true, []string{ed.id}, map[string]string{"kid": ed.id}, nil} {
		add(fmt.Sprintf("the kid %#v", kid), token.NoKeyID, ed.sign(t, map[string]any{"kid": kid}, auth.stock("ann", nil)))
	}

	add("a key of another type", token.WrongKey, ed.sign(t, map[string]any{"kid": rs.id}, auth.stock("ann", nil)))
	add("a stripped signature", token.BadSignature, text)
	add("a signature that was left out, with its dot", token.Malformed, strings.TrimSuffix(text, "."))
	add("a truncated signature", token.BadSignature, text+signature[:len(signature)-6])
	add("a longer signature", token.BadSignature, signed+"AAAA")
	add("a signature of zeros", token.BadSignature, text+encode(make([]byte, 64)))
	add("a signature that is no base64url", token.Malformed, text+"+/+/")
	add("the payload of another token", token.BadSignature,
		strings.Split(signed, ".")[0]+"."+encode([]byte(payload(map[string]any{"sub": "bob"})))+"."+signature)
	add("a detached payload", token.Malformed, strings.Split(signed, ".")[0]+".."+signature)
	add("a payload that is not encoded", token.CriticalExtension,
		ed.sign(t, map[string]any{"b64": false, "crit": []string{"b64"}}, auth.stock("ann", nil)))
	for _, crit := range []any{[]string{"exp"}, []string{}, "exp", false} {
		add(fmt.Sprintf("crit %#v", crit), token.CriticalExtension, ed.sign(t, map[string]any{"crit": crit}, auth.stock("ann", nil)))
	}

	// Second spellings of a good token, and headers that two readers may read in two ways.
	half := strings.Split(signed, ".")
	add("unused bits in the signature", token.Malformed, text+respell(signature))
	for i, blank := range []string{"", " ", "  "} { // of three lengths, two leave bits unused
		if body := encode([]byte(payload(owner) + blank)); len(body)%4 > 0 {
			signature, err := ed.method.Sign(half[0]+"."+respell(body), ed.private)
			require.NoError(t, err)
			add(fmt.Sprint("unused bits in the claims ", i), token.Malformed, half[0]+"."+respell(body)+"."+encode(signature))
		}
		if header := encode([]byte(`{"alg":"EdDSA","kid":"` + ed.id + `"}` + blank)); len(header)%4 > 0 {
			signature, err := ed.method.Sign(respell(header)+"."+half[1], ed.private)
			require.NoError(t, err)
			add(fmt.Sprint("unused bits in the header ", i), token.Malformed, respell(header)+"."+half[1]+"."+encode(signature))
		}
	}
	for name, space := range map[string]string{"a line feed": "\n", "a carriage return": "\r", "a space": " ", "padding": "="} {
		add(name+" in the signature", token.Malformed, text+signature[:8]+space+signature[8:])
		add(name+" behind the header", token.Malformed, half[0]+space+"."+half[1]+"."+half[2])
		add(name+" in the claims", token.Malformed, half[0]+"."+half[1][:4]+space+half[1][4:]+"."+half[2])
	}
	for _, header := range []string{
		`{"alg":"none","alg":"EdDSA","kid":"%s"}`, `{"alg":"HS256","alg":"EdDSA","kid":"%s"}`,
		`{"alg":"EdDSA","kid":"x","kid":"%s"}`, `{"alg":"EdDSA","\u0061lg":"EdDSA","kid":"%s"}`, `{"alg":"EdDSA","kid":"%s","x":1,"x":1}`,
		"{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"x\":\"\xff\"}",
	} {
		add("the header "+header, token.Malformed, signHeader(t, ed, fmt.Sprintf(header, ed.id), payload(owner)))
	}
	add("a second algorithm", token.WrongAlgorithm, signHeader(t, ed, `{"alg":"EdDSA","alg":"none","kid":"ed"}`, payload(owner)))
	for _, typ := range []any{
		"", "JOSE", "id+jwt", "dpop+jwt", "logout+jwt", "JWT ", "text/jwt", "application/", "at+jwt; v=1", 1, nil, []string{"JWT"},
	} {
		header, err := json.Marshal(map[string]any{"alg": "EdDSA", "kid": ed.id, "typ": typ})
		require.NoError(t, err)
		add(fmt.Sprintf("typ %#v", typ), token.WrongType, signHeader(t, ed, string(header), payload(owner)))
	}
	for _, method := range []*jwt.SigningMethodRSAPSS{jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512} {
		for _, length := range []int{1, 20, method.Hash.Size() - 1, method.Hash.Size() + 1, rsa.PSSSaltLengthAuto} { // auto: the longest
			salted := &jwt.SigningMethodRSAPSS{SigningMethodRSA: method.SigningMethodRSA, Options: &rsa.PSSOptions{SaltLength: length}}
			add(fmt.Sprintf("%s with a salt of %d bytes", method.Alg(), length), token.BadSignature,
				signingKey{id: rs.id, method: salted, private: rs.private}.sign(t, nil, auth.stock("ann", nil)))
		}
	}

	// Claims that the trusted key signed for another purpose.
	for name, claims := range map[string]map[string]any{
		"sub": {"sub": "ann"}, "user_id": {"user_id": "ann"}, "iss": {"iss": auth.origin()}, "exp": {"exp": 9999999999},
	} {
		once, err := json.Marshal(claims)
		require.NoError(t, err)
		twice := strings.TrimSuffix(payload(owner), "}") + "," + strings.TrimPrefix(string(once), "{")
		add("the claim "+name+" twice", token.Malformed, signText(t, ed, twice))
		add("the claim "+name+" twice, under another signature", token.BadSignature, half[0]+"."+encode([]byte(twice))+"."+signature)
	}
	add("an \\u-escaped name beside the plain one", token.Malformed,
		signText(t, ed, strings.TrimSuffix(payload(nil), "}")+`,"\u0073ub":"bob"}`))
	later := time.Now().Add(time.Hour).Unix()
	for _, c := range []struct {
		attack string
		reason token.Reason
		claims map[string]any
	}{
		{"SUB", token.NoUserID, map[string]any{"sub": nil, "SUB": "ann"}},
		{"Exp", token.BadTime, map[string]any{"exp": nil, "Exp": later}},
		{"ISS", token.WrongIssuer, map[string]any{"iss": nil, "ISS": auth.origin()}},
		{"Aud", token.WrongAudience, map[string]any{"aud": nil, "Aud": auth.origin()}},
		{"no exp", token.BadTime, map[string]any{"exp": nil}},
		{"exp as text", token.BadTime, map[string]any{"exp": fmt.Sprint(later)}},
		{"exp as a list", token.BadTime, map[string]any{"exp": []int64{later}}},
		{"a huge exp", token.BadTime, map[string]any{"exp": 1e300}},
		{"exp in milliseconds", token.BadTime, map[string]any{"exp": later * 1000}},
		{"an exp that has passed", token.Expired, map[string]any{"exp": time.Now().Unix() - 1}},
		{"a huge negative exp", token.BadTime, map[string]any{"exp": -1e300}},
		{"a huge nbf", token.BadTime, map[string]any{"nbf": 1e300}},
		{"nbf as text", token.BadTime, map[string]any{"nbf": "0"}},
		{"iat to come", token.NotYetValid, map[string]any{"iat": later}},
		{"another issuer", token.WrongIssuer, map[string]any{"iss": "https://evil.example.com"}},
		{"the issuer with a slash", token.WrongIssuer, map[string]any{"iss": auth.origin() + "/"}},
		{"a list of issuers", token.WrongIssuer, map[string]any{"iss": []string{auth.origin()}}},
		{"another audience", token.WrongAudience, map[string]any{"aud": "https://other.example.com"}},
		{"no audience", token.WrongAudience, map[string]any{"aud": []string{}}},
		{"an audience that begins alike", token.WrongAudience, map[string]any{"aud": auth.origin() + ".evil.example.com"}},
		{"audiences of which one is a number", token.WrongAudience, map[string]any{"aud": []any{auth.origin(), 1}}},
		{"a numeric sub", token.NoUserID, map[string]any{"sub": 1}},
		{"a null user_id before a good sub", token.NoUserID, map[string]any{"user_id": json.RawMessage("null")}},
		{"an empty user_id before a good sub", token.NoUserID, map[string]any{"user_id": ""}},
		{"a numeric user_id before a good sub", token.NoUserID, map[string]any{"user_id": 1}},
		{"a user of 256 characters", token.NoUserID, map[string]any{"sub": strings.Repeat("é", 256)}},
		{"a user with NUL", token.NoUserID, map[string]any{"sub": "ann\u0000"}},
	} {
		add(c.attack, c.reason, ed.sign(t, nil, auth.stock("ann", c.claims)))
	}
	for _, number := range []string{"NaN", "Infinity", "-Infinity", "0x7fffffff", "1_000", "01", "+1", "1."} {
		add("exp "+number, token.Malformed, signText(t, ed, strings.TrimSuffix(payload(map[string]any{"exp": nil}), "}")+`,"exp":`+number+`}`))
	}
	add("exp 1e400", token.BadTime, signText(t, ed, strings.TrimSuffix(payload(map[string]any{"exp": nil}), "}")+`,"exp":1e400}`))
	add("sub alone under the secret", token.NoUserID, hmac.sign(t, nil, auth.stock("ann", nil)))

	add("many dots", token.Malformed, strings.Repeat(".", 8000))
	add("many dots behind a good token", token.Malformed, signed+strings.Repeat(".", 4000))
	add("an encrypted token", token.Malformed, signed+".AAAA.AAAA")
	add("8 kB of letters", token.Malformed, strings.Repeat("a", 8<<10))
	add("8 kB with a bad signature", token.BadSignature,
		attackers.sign(t, nil, auth.stock("ann", map[string]any{"pad": strings.Repeat("x", 6<<10)})))
	add("8 kB of nested lists", token.Malformed, signText(t, ed, `{"pad":`+strings.Repeat("[", 6000)))
	return all
}

// respell returns another text that a tolerant decoder of base64url takes for the same bytes.
func respell(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(text) - 1
	return text[:last] + string(letters[strings.IndexByte(letters, text[last])|1])
}

// signText signs claims that may be malformed JSON.
func signText(t testing.TB, key signingKey, claims string) string {
	t.Helper()
	return signHeader(t, key, `{"alg":"`+key.method.Alg()+`","kid":"`+key.id+`"}`, claims)
}

// signHeader signs a header and claims that may be malformed JSON.
func signHeader(t testing.TB, key signingKey, header, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode([]byte(claims))
	signature, err := key.method.Sign(signed, key.private)
	require.NoError(t, err)
	return signed + "." + encode(signature)
}

func TestForgedTokensAreAllTheSame401(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		ed, rs := newKey(t, "ed", jwt.SigningMethodEdDSA), newKey(t, "rs", jwt.SigningMethodRS256)
		auth := newIssuer(t, ed, rs)
		s := newServerOf(t, auth, databaseURL)
		require.Equal(t, 200, s.statusOf(t, ed.sign(t, nil, auth.stock("ann", nil))))
		for _, f := range forgeries(t, auth, ed, rs) {
			t.Run(f.attack, func(t *testing.T) { requireRefusal(t, s, f.reason, f.token) })
		}
		require.Zero(t, auth.strays.Load(), "a URL in a token's header was fetched")
	})
}

func TestKeysThatArePublishedForSomethingElseVerifyNothing(t *testing.T) {
	t.Parallel()
	secret := newKey(t, "oct", jwt.SigningMethodHS256)
	encrypts := newKey(t, "enc", jwt.SigningMethodEdDSA)
	encrypts.use = "enc"
	declares := newKey(t, "declares", jwt.SigningMethodRS256)
	declares.declares = "RS256"
	p256, p384 := newKey(t, "p256", jwt.SigningMethodES256), newKey(t, "p384", jwt.SigningMethodES384)
	good := newKey(t, "good", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, secret, encrypts, declares, p256, p384, good)
	s := newServerOf(t, auth, newSQLite(t))
	claims := auth.stock("ann", map[string]any{"user_id": "ann"})
	for attack, f := range map[string]forgery{
		"HS256 with a symmetric key of the set": {reason: token.BadSignature, token: secret.sign(t, nil, claims)},
		"EdDSA with a symmetric key of the set": {reason: token.WrongKey, token: secret.sign(t, map[string]any{"alg": "EdDSA"}, claims)},
		"a key for encryption":                  {reason: token.WrongKey, token: encrypts.sign(t, nil, claims)},
		"PS256 with a key that is for RS256": {
			reason: token.WrongKey,
			token:  signingKey{id: "declares", method: jwt.SigningMethodPS256, private: declares.private}.sign(t, nil, claims),
		},
		"ES256 with a key on another curve":       {reason: token.WrongKey, token: p384.sign(t, map[string]any{"alg": "ES256"}, claims)},
		"ES512 with a key on another curve":       {reason: token.WrongKey, token: p384.sign(t, map[string]any{"alg": "ES512"}, claims)},
		"ES384 with a key on another curve":       {reason: token.WrongKey, token: p256.sign(t, map[string]any{"alg": "ES384"}, claims)},
		"ES384 with an RSA key":                   {reason: token.WrongKey, token: declares.sign(t, map[string]any{"alg": "ES384"}, claims)},
		"RS512 with an EC key":                    {reason: token.WrongKey, token: p384.sign(t, map[string]any{"alg": "RS512"}, claims)},
		"EdDSA with an EC key":                    {reason: token.WrongKey, token: p256.sign(t, map[string]any{"alg": "EdDSA"}, claims)},
		"the name of a key with a trailing space": {reason: token.UnknownKey, token: good.sign(t, map[string]any{"kid": "good "}, claims)},
	} {
		t.Run(attack, func(t *testing.T) { requireRefusal(t, s, f.reason, f.token) })
	}
	for _, key := range []signingKey{declares, p256, p384, good} {
		require.Equal(t, 200, s.send(t, request{method: "GET", path: "/api/tasks", header: bearer(key.sign(t, nil, claims))}).StatusCode)
	}
}
