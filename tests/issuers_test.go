package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"taskapi/middleware/token"
)

// documentedIssuers returns the rows of the table in docs/issuers.md: the settings by the issuer's name.
func documentedIssuers(t *testing.T) map[string]map[string]string {
	t.Helper()
	page, err := os.ReadFile("../docs/issuers.md")
	require.NoError(t, err)
	rows := map[string]map[string]string{}
	line := regexp.MustCompile("(?m)^\\| (\\w+) \\| `(.*?)` \\| `(.*?)` \\| `(.*?)` \\| (?:`(.*?)`)? ?\\|$")
	for _, row := range line.FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = map[string]string{"JWKS_URL": row[2], "JWT_ISSUER": row[3], "JWT_AUDIENCE": row[4], "JWT_AUDIENCE_CLAIM": row[5]}
	}
	delete(rows, "issuer") // the head of the table
	return rows
}

// TestTheDocumentedSettingsAcceptTheTokensOfThatIssuer tries each row with a key set and a token of that issuer's shape.
func TestTheDocumentedSettingsAcceptTheTokensOfThatIssuer(t *testing.T) {
	t.Parallel()
	rows := documentedIssuers(t)
	none := map[string]any{"name": nil, "email": nil, "emailVerified": nil, "id": nil}
	shapes := map[string]struct {
		method         jwt.SigningMethod
		member         map[string]any
		header, claims map[string]any
	}{
		"Auth0": {
			jwt.SigningMethodRS256,
			map[string]any{
				"alg": "RS256", "use": "sig", "x5t": "RkI0MzI5QjBFRTQyNzk4OTc2MjdEQjc1RDA0MTE3MDQ4RUZDOEI0Rg", "x5c": []string{"MIIDBzCCAe+gAwIBAgIJ"},
			},
			map[string]any{"typ": "JWT"},
			map[string]any{
				"iss": "https://TENANT.auth0.com/", "aud": []string{"https://tasks.example.com", "https://TENANT.auth0.com/userinfo"},
				"sub": "auth0|507f1f77bcf86cd799439011", "azp": "my_client_id", "scope": "openid profile", "gty": "password",
			},
		},
		"Clerk": {
			jwt.SigningMethodRS256, map[string]any{"alg": "RS256", "use": "sig"}, map[string]any{"typ": "JWT", "cat": "cl_B7d4PD111AAA"},
			map[string]any{
				"iss": "https://TENANT.clerk.accounts.dev", "aud": nil, "sub": "user_2aa0bb1cc2dd", "azp": "https://app.example.com", "sid": "sess_2aa",
				"nbf": time.Now().Add(-10 * time.Second).Unix(), "exp": time.Now().Add(time.Hour).Unix(), "sts": "active", "v": 2, "fva": []int{0, -1},
			},
		},
		"Keycloak": {
			jwt.SigningMethodRS256, map[string]any{"alg": "RS256", "use": "sig", "x5c": []string{"MIICmzCCAYMCBgGT"}, "x5t": "zq", "x5t#S256": "zq"},
			map[string]any{"typ": "JWT"},
			map[string]any{
				"iss": "https://id.example.com/realms/REALM", "aud": []string{"tasks", "account"},
				"sub": "2f6a0c7e-0c6f-4a0e-9c61-6f4f0b1d2c3e", "typ": "Bearer",
				"azp": "spa", "acr": "1", "realm_access": map[string]any{"roles": []string{"user"}}, "scope": "profile",
			},
		},
		"Cognito": {
			jwt.SigningMethodRS256, map[string]any{"alg": "RS256", "use": "sig"}, nil,
			map[string]any{
				"iss": "https://cognito-idp.REGION.amazonaws.com/POOL", "aud": nil,
				"client_id": "CLIENT", "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
				"token_use": "access", "username": "ann", "scope": "openid", "version": 2, "cognito:groups": []string{"a"},
			},
		},
		"Logto": {
			jwt.SigningMethodES384, map[string]any{"alg": "ES384", "use": "sig"}, map[string]any{"typ": "at+jwt"},
			map[string]any{
				"iss": "https://TENANT.logto.app/oidc", "aud": "https://tasks.example.com",
				"sub": "mzqyp1ps5tsc", "client_id": "spa", "jti": "x", "scope": "read:tasks",
			},
		},
		"Supabase": {
			jwt.SigningMethodES256, map[string]any{"alg": "ES256", "use": "sig", "key_ops": []string{"verify"}, "ext": true},
			map[string]any{"typ": "JWT"},
			map[string]any{
				"iss": "https://PROJECT.supabase.co/auth/v1", "aud": "authenticated",
				"sub": "11111111-2222-3333-4444-555555555555", "role": "authenticated",
				"aal": "aal1", "session_id": "x", "is_anonymous": false,
				"app_metadata": map[string]any{"provider": "email"}, "user_metadata": map[string]any{"user_id": "bob"},
			},
		},
	}
	require.Len(t, rows, len(shapes))
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := rows[name]
			require.NotNil(t, row)
			key, encrypts := newKey(t, "k", shape.method), newKey(t, "enc", jwt.SigningMethodRS256)
			auth := newIssuer(t)
			auth.publishMembers(t, encrypts.jwk(map[string]any{"use": "enc", "alg": "RSA-OAEP"}), key.jwk(shape.member))
			settings := []string{"BETTER_AUTH_SECRET", "", "JWKS_URL", auth.origin() + "/api/auth/jwks"}
			for _, setting := range []string{"JWT_ISSUER", "JWT_AUDIENCE", "JWT_AUDIENCE_CLAIM"} {
				settings = append(settings, setting, row[setting])
			}
			s := newServer(t, newSQLite(t), settings...)
			with := func(more map[string]any) string {
				claims := maps.Clone(none)
				maps.Copy(claims, shape.claims)
				maps.Copy(claims, more)
				return key.sign(t, shape.header, auth.stock("", claims))
			}
			got := s.send(t, request{method: "POST", path: "/api/tasks", body: `{"title":"x"}`, header: bearer(with(nil))})
			require.Equal(t, 201, got.StatusCode, &s.logs)
			require.Equal(t, shape.claims["sub"], decode[task](t, got).UserID)
			said, err := explain(t, with(nil), settings...)
			require.NoError(t, err, said)
			requireRefusal(t, s, token.WrongIssuer, with(map[string]any{"iss": "https://evil.example.com"}))
			requireRefusal(t, s, token.WrongAudience, with(map[string]any{"aud": nil, "azp": nil, "client_id": nil}))
			requireRefusal(t, s, token.WrongAudience, with(map[string]any{"aud": "another API"}))
			requireRefusal(t, s, token.WrongAudience, with(map[string]any{"aud": nil, "azp": "another app", "client_id": "another app"}))
			if row["JWT_AUDIENCE_CLAIM"] == "" {
				claims := map[string]any{"aud": nil, "azp": row["JWT_AUDIENCE"], "client_id": row["JWT_AUDIENCE"]}
				requireRefusal(t, s, token.WrongAudience, with(claims))
			}
		})
	}
}

func TestAClaimStandsInForAMissingAudienceOnlyIfTheSettingsSaySo(t *testing.T) {
	t.Parallel()
	key := newKey(t, "k", jwt.SigningMethodEdDSA)
	auth := newIssuer(t, key)
	for claim, other := range map[string]string{"azp": "client_id", "client_id": "azp", "": "azp"} {
		s := newServerOf(t, auth, newSQLite(t), "JWT_AUDIENCE", " tasks , mail", "JWT_AUDIENCE_CLAIM", claim)
		for name, c := range map[string]struct {
			claims map[string]any
			good   bool
		}{
			"the first audience":                {map[string]any{"aud": "tasks"}, true},
			"the second, in a list":             {map[string]any{"aud": []string{"x", "mail"}}, true},
			"the claim":                         {map[string]any{"aud": nil, claim: "tasks"}, claim != ""},
			"the claim, second audience":        {map[string]any{"aud": nil, claim: "mail"}, claim != ""},
			"the other claim":                   {map[string]any{"aud": nil, other: "tasks"}, false},
			"neither":                           {map[string]any{"aud": nil}, false},
			"another value":                     {map[string]any{"aud": nil, claim: "tasks2"}, false},
			"the list as it is in the settings": {map[string]any{"aud": nil, claim: " tasks , mail"}, false},
			"an empty text":                     {map[string]any{"aud": nil, claim: ""}, false},
			"the claim in a list":               {map[string]any{"aud": nil, claim: []string{"tasks"}}, false},
			"a wrong aud beside the claim":      {map[string]any{"aud": "x", claim: "tasks"}, false},
			"an empty aud beside the claim":     {map[string]any{"aud": []string{}, claim: "tasks"}, false},
			"an aud of null beside the claim":   {map[string]any{"aud": json.RawMessage("null"), claim: "tasks"}, false},
			"the claim in capitals":             {map[string]any{"aud": nil, strings.ToUpper(claim + "x"): "tasks"}, false},
		} {
			signed := key.sign(t, nil, auth.stock("ann", c.claims))
			if c.good {
				require.Equal(t, 200, s.statusOf(t, signed), "%s %s", claim, name)
			} else {
				requireRefusal(t, s, token.WrongAudience, signed)
			}
		}
	}
}

func TestTypesAndNamesOfTokensThatAreAccepted(t *testing.T) {
	t.Parallel()
	key, named := newKey(t, "k", jwt.SigningMethodEdDSA), newKey(t, "named", jwt.SigningMethodEdDSA)
	named.declares = "Ed25519"
	auth := newIssuer(t, key, named)
	s := newServerOf(t, auth, newSQLite(t))
	for _, key := range []signingKey{key, named} {
		for _, algorithm := range []string{"EdDSA", "Ed25519"} {
			signed := key.sign(t, map[string]any{"alg": algorithm}, auth.stock("ann", nil))
			require.Equal(t, 200, s.statusOf(t, signed), "%s with the key %s", algorithm, key.id)
		}
	}
	for _, typ := range []string{"JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/jwt", "Application/at+JWT"} {
		require.Equal(t, 200, s.statusOf(t, key.sign(t, map[string]any{"typ": typ}, auth.stock("ann", nil))), typ)
		require.Equal(t, 200, s.statusOf(t, forge(fmt.Sprintf(`{"alg":"HS256","typ":%q}`, typ),
			fmt.Sprintf(`{"user_id":"ann","exp":%d}`, time.Now().Add(time.Hour).Unix()))), typ)
	}
	requireRefusal(t, s, token.WrongType, forge(`{"alg":"HS256","typ":"JOSE"}`,
		fmt.Sprintf(`{"user_id":"ann","exp":%d}`, time.Now().Add(time.Hour).Unix())))
}
