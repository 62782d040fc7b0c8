package tests

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// forge signs any text as header and claims, with HS256 and the server's secret.
func forge(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// claim signs the claims in format, where each %d becomes now plus a duration, in seconds since 1970.
func claim(format string, from ...time.Duration) string {
	var at []any
	for _, d := range from {
		at = append(at, time.Now().Add(d).Unix())
	}
	return forge(`{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(format, at...))
}

func signWith(t testing.TB, method jwt.SigningMethod, key any) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(method, jwt.MapClaims{"user_id": "ann", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(key)
	require.NoError(t, err)
	return signed
}

// requireUnauthorized requires the 401 of a faulty token from every operation, whatever else is wrong with the request.
func requireUnauthorized(t *testing.T, s *server, authorization string) {
	t.Helper()
	for _, r := range []request{
		{method: "GET", path: "/api/tasks"}, {method: "GET", path: "/api/tasks?status=bad"}, {method: "POST", path: "/api/tasks", body: "{"},
		{method: "GET", path: "/api/tasks/abc"}, {method: "PUT", path: "/api/tasks/abc", body: "{"},
		{method: "PATCH", path: "/api/tasks/0/complete"}, {method: "DELETE", path: "/api/tasks/1"},
	} {
		if authorization != "" {
			r.header = map[string]string{"Authorization": authorization}
		}
		got := s.send(t, r)
		require.Equal(t, 401, got.StatusCode, "%s %s: %s", r.method, r.path, got.body)
		require.Equal(t, `{"detail":"Invalid authentication credentials"}`, string(got.body))
		require.Equal(t, "Bearer", got.Header.Get("WWW-Authenticate"))
	}
}

func TestAnyFaultInATokenIsTheSame401BeforeAnythingElseIsJudged(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		good := claim(`{"user_id":"ann","exp":%d}`, time.Hour)
		parts := strings.Split(good, ".")
		hs256 := `{"alg":"HS256","typ":"JWT"}`
		later := time.Now().Add(time.Hour).Unix()
		payload := fmt.Sprintf(`{"user_id":"ann","exp":%d}`, later)
		for name, token := range map[string]string{
			"not a token":                "abc",
			"two parts":                  parts[0] + "." + parts[1],
			"four parts":                 good + ".x",
			"no signature":               parts[0] + "." + parts[1] + ".",
			"a cut signature":            good[:len(good)-4],
			"another payload":            parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload+" ")) + "." + parts[2],
			"another secret":             signWith(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two characters")),
			"an empty secret":            signWith(t, jwt.SigningMethodHS256, []byte{}),
			"HS384":                      signWith(t, jwt.SigningMethodHS384, []byte(testSecret)),
			"HS512":                      signWith(t, jwt.SigningMethodHS512, []byte(testSecret)),
			"none":                       signWith(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
			"none with a signature":      forge(`{"alg":"none"}`, payload),
			"None":                       forge(`{"alg":"None"}`, payload),
			"hs256 in lower case":        forge(`{"alg":"hs256"}`, payload),
			"RS256 with an HMAC":         forge(`{"alg":"RS256"}`, payload),
			"EdDSA with an HMAC":         forge(`{"alg":"EdDSA"}`, payload),
			"no algorithm":               forge(`{"typ":"JWT"}`, payload),
			"an algorithm as a number":   forge(`{"alg":256}`, payload),
			"a critical extension":       forge(`{"alg":"HS256","crit":["b64"],"b64":true}`, payload),
			"an empty list of criticals": forge(`{"alg":"HS256","crit":[]}`, payload),
			"a header that is no object": forge(`[]`, payload),
			"claims that are no object":  forge(hs256, `["ann"]`),
			"claims that are no JSON":    forge(hs256, payload+"}"),
			"claims that are null":       forge(hs256, `null`),
			"claims in bad UTF-8":        forge(hs256, fmt.Sprintf("{\"user_id\":\"\xff\",\"exp\":%d}", later)),
			"a lone surrogate":           claim(`{"user_id":"\ud800","exp":%d}`, time.Hour),
			"no exp":                     claim(`{"user_id":"ann"}`),
			"expired":                    claim(`{"user_id":"ann","exp":%d}`, -time.Second),
			"expired long ago":           claim(`{"user_id":"ann","exp":%d}`, -24*time.Hour),
			"exp 0":                      claim(`{"user_id":"ann","exp":0}`),
			"a negative exp":             claim(`{"user_id":"ann","exp":-1}`),
			"exp as text":                claim(`{"user_id":"ann","exp":"%d"}`, time.Hour),
			"exp null":                   claim(`{"user_id":"ann","exp":null}`),
			"exp true":                   claim(`{"user_id":"ann","exp":true}`),
			"exp in a list":              claim(`{"user_id":"ann","exp":[%d]}`, time.Hour),
			"exp beyond all numbers":     claim(`{"user_id":"ann","exp":1e999}`),
			"exp beyond the calendar":    claim(`{"user_id":"ann","exp":1e300}`),
			"exp in milliseconds":        claim(`{"user_id":"ann","exp":%d000}`, time.Hour),
			"EXP":                        claim(`{"user_id":"ann","EXP":%d}`, time.Hour),
			"exp twice":                  claim(`{"user_id":"ann","exp":%d,"exp":%d}`, -time.Hour, time.Hour),
			"nbf to come":                claim(`{"user_id":"ann","exp":%d,"nbf":%d}`, time.Hour, 70*time.Second),
			"nbf as text":                claim(`{"user_id":"ann","exp":%d,"nbf":"0"}`, time.Hour),
			"iat to come":                claim(`{"user_id":"ann","exp":%d,"iat":%d}`, time.Hour, 70*time.Second),
			"iat as text":                claim(`{"user_id":"ann","exp":%d,"iat":"0"}`, time.Hour),
			"no user":                    claim(`{"exp":%d}`, time.Hour),
			"USER_ID":                    claim(`{"USER_ID":"ann","exp":%d}`, time.Hour),
			"user_id twice":              claim(`{"user_id":"ann","user_id":"bob","exp":%d}`, time.Hour),
			"only sub":                   claim(`{"sub":"ann","exp":%d}`, time.Hour),
			"only userId":                claim(`{"userId":"ann","exp":%d}`, time.Hour),
			"only user.id":               claim(`{"user":{"id":"ann"},"exp":%d}`, time.Hour),
			"an e-mail verification":     claim(`{"email":"ann@example.com","iat":%d,"exp":%d}`, 0, time.Hour),
			"a session cookie cache": claim(`{"session":{"userId":"ann","token":"t"},"user":{"id":"ann"},`+
				`"updatedAt":1,"version":"1","iat":%d,"exp":%d}`, 0, time.Hour),
			"a numeric user":           claim(`{"user_id":1,"exp":%d}`, time.Hour),
			"a null user":              claim(`{"user_id":null,"exp":%d}`, time.Hour),
			"a list as user":           claim(`{"user_id":["ann"],"exp":%d}`, time.Hour),
			"an object as user":        claim(`{"user_id":{"id":"ann"},"exp":%d}`, time.Hour),
			"an empty user":            claim(`{"user_id":"","exp":%d}`, time.Hour),
			"a blank user":             claim(`{"user_id":" \t\u00a0","exp":%d}`, time.Hour),
			"a user of 256 characters": claim(`{"user_id":"`+strings.Repeat("é", 256)+`","exp":%d}`, time.Hour),
			"a user with NUL":          claim(`{"user_id":"a\u0000b","exp":%d}`, time.Hour),
			"many dots":                strings.Repeat(".", 5000),
			"a long one":               strings.Repeat("a", 8000),
		} {
			t.Run(name, func(t *testing.T) { requireUnauthorized(t, s, "Bearer "+token) })
		}
		for name, authorization := range map[string]string{
			"nothing": "", "no scheme": good, "no token": "Bearer",
			"a blank token": "Bearer  ", "Basic": "Basic " + good, "no space": "Bearer" + good,
			"a tab": "Bearer\t" + good, "quotes": `Bearer "` + good + `"`,
			"two tokens": "Bearer " + good + " " + good, "a comma": "Bearer " + good + ",",
		} {
			t.Run("Authorization: "+name, func(t *testing.T) { requireUnauthorized(t, s, authorization) })
		}
		s.listen(t)
		two := s.sendRaw(t, "GET /api/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+
			"Authorization: Bearer "+good+"\r\nAuthorization: Bearer "+good+"\r\n\r\n")
		require.Contains(t, two, "401", "two headers")
		require.NotContains(t, s.logs.String(), parts[1], "a token is in the log")
	})
}

func TestGoodTokensPass(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		long := strings.Repeat("é", 255)
		for user, tokens := range map[string][]string{
			"ann": {
				claim(`{"user_id":"ann","exp":%d}`, time.Hour),
				claim(`{"user_id":"ann","exp":%d.5,"iat":%d,"nbf":%d}`, time.Hour, 50*time.Second, 50*time.Second),
				claim(`{"user_id":"ann","USER_ID":"bob","sub":"bob","userId":"bob","exp":%d}`, time.Hour),
				claim(`{"user_id":"ann","exp":1.9e9}`),
				signWith(t, jwt.SigningMethodHS256, []byte(testSecret)),
				claim(`{"user_id":"ann","exp":%d,"pad":"`+strings.Repeat("x", 6000)+`"}`, time.Hour),
			},
			long:          {claim(`{"user_id":"`+long+`","exp":%d}`, time.Hour)},
			"日本 ' OR 1=1": {claim(`{"user_id":"日本 ' OR 1=1","exp":%d}`, time.Hour)},
			" ann":        {claim(`{"user_id":" ann","exp":%d}`, time.Hour)},
		} {
			for i, token := range tokens {
				for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "Bearer   "} {
					got := s.send(t, request{"POST", "/api/tasks", "", `{"title":"x"}`, map[string]string{"Authorization": scheme + token}})
					require.Equal(t, 201, got.StatusCode, "%s %d", user, i)
					require.Equal(t, user, decode[task](t, got).UserID)
				}
			}
		}
		require.Len(t, s.as("ann").list(t), 24)
		require.Len(t, s.as(" ann").list(t), 4)
	})
}

func TestATokenElsewhereThanInTheHeaderIsNeverRead(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		good := tokenOf(t, "ann")
		for _, r := range []request{
			{method: "GET", path: "/api/tasks?token=" + good + "&access_token=" + good + "&Authorization=Bearer%20" + good},
			{
				method: "GET", path: "/api/tasks",
				header: map[string]string{
					"Cookie": "Authorization=Bearer " + good + "; token=" + good + "; jwt=" + good + "; better-auth.session_token=" + good,
				},
			},
			{method: "POST", path: "/api/tasks", body: map[string]any{"title": "x", "token": good, "access_token": good}},
			{
				method: "GET", path: "/api/tasks",
				header: map[string]string{"X-Authorization": "Bearer " + good, "Proxy-Authorization": "Bearer " + good},
			},
		} {
			t.Run(r.method+" "+strings.ReplaceAll(r.path, good, "TOKEN"), func(t *testing.T) {
				require.Equal(t, 401, s.send(t, r).StatusCode)
			})
		}
		require.NotContains(t, s.logs.String(), good)
	})
}
