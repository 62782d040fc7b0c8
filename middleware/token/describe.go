package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// describe returns a refusal in words, and a remedy if there is one.
func (e explanation) describe(err error) (reason, remedy string) {
	algorithm, issuer, kid := e.algorithm(), e.cfg.Issuer, printable(e.header["kid"])
	const server = "set BETTER_AUTH_URL or JWKS_URL to the server that signed it, if that is another one"
	var refused Reason
	errors.As(err, &refused)
	switch {
	case refused == "":
		return fmt.Sprintf("the key set cannot be fetched, so that a server would answer 503: %s", e.unreachable),
			"see that BETTER_AUTH_URL or JWKS_URL is right and can be reached from here"
	case refused == Malformed:
		return e.malformed()
	case refused == CriticalExtension:
		return "its header demands an extension (crit), and none is known", ""
	case refused == WrongType:
		return fmt.Sprintf("its typ is %s and must be JWT or at+jwt", printable(e.header["typ"])), "send an access token"
	case refused == WrongAlgorithm && slices.Contains(publicAlgorithms, algorithm):
		given := "only BETTER_AUTH_SECRET"
		if len(e.cfg.Secrets()) == 0 {
			given = "no BETTER_AUTH_URL"
		}
		if e.claims.text("iss") == "" {
			return algorithm + " token, but " + given + " is set; and it has no iss that names its issuer", ""
		}
		return algorithm + " token, but " + given + " is set",
			"set BETTER_AUTH_URL if Better Auth signed it, else JWKS_URL, JWT_ISSUER and JWT_AUDIENCE; its iss is " + printable(e.claims["iss"])
	case refused == WrongAlgorithm && algorithm == "HS256":
		return "HS256 token, but BETTER_AUTH_SECRET is not set", e.withUserID("set BETTER_AUTH_SECRET to the secret that signed it")
	case refused == WrongAlgorithm:
		return fmt.Sprintf("its algorithm is %s; accepted are HS256 with a shared secret, and %s with a key set",
			printable(e.header["alg"]), strings.Join(publicAlgorithms, ", ")), ""
	case refused == NoKeyID:
		return "its header does not name the key that signed it: its kid is " + kid, ""
	case (refused == UnknownKey || refused == WrongKey) && e.usable == nil:
		return fmt.Sprintf("the key set at %s was fetched, but has no usable key", issuer.KeySetURL), server
	case refused == UnknownKey:
		return fmt.Sprintf("the key set at %s does not have its key %s", issuer.KeySetURL, kid), server
	case refused == WrongKey:
		return fmt.Sprintf("its key %s is not one for %s", kid, algorithm), ""
	case refused == BadSignature && algorithm == "HS256":
		return "its signature is not by a secret that is set here, or it was changed or cut on its way",
			e.withUserID("set BETTER_AUTH_SECRET to the secret that signed it; while secrets rotate, list both in BETTER_AUTH_SECRETS")
	case refused == BadSignature:
		return "its signature is not by the key that it names, or it was changed or cut on its way", ""
	case refused == WrongIssuer && e.claims.text("iss") == "":
		return fmt.Sprintf("its iss is %s and must be %q", printable(e.claims["iss"]), issuer.Name), ""
	case refused == WrongIssuer:
		return fmt.Sprintf("its iss is %s and must be %q", printable(e.claims["iss"]), issuer.Name),
			"set JWT_ISSUER to that iss, if it is the server that you trust"
	case refused == WrongAudience:
		return e.wrongAudience()
	case refused == NoUserID:
		return e.noUserID()
	}
	return e.badTime(refused)
}

// withUserID returns a remedy for an HS256 token, or how to give the token a user_id if it has none.
func (e explanation) withUserID(remedy string) string {
	if e.claims["user_id"] == nil {
		_, remedy = e.noUserID()
	}
	return remedy
}

func (e explanation) wrongAudience() (reason, remedy string) {
	const fill = "have the issuer put the name of this API into aud"
	aud, instead := e.claims["aud"], e.cfg.Issuer.AudienceClaim
	reason = fmt.Sprintf(`its aud is %s and must be or hold "%s"`, printable(aud), strings.Join(e.cfg.Issuer.Audiences, `" or "`))
	if aud != nil {
		if (&claims{Aud: aud}).audiences("") == nil {
			return reason, fill
		}
		return reason, "set JWT_AUDIENCE, if that aud means this API"
	}
	if instead != "" {
		reason += fmt.Sprintf("; in its place, %s is %s", instead, printable(e.claims[instead]))
	}
	for _, claim := range []string{instead, "azp", "client_id"} {
		if e.claims.text(claim) != "" {
			return reason, fmt.Sprintf("%s; or, if all tokens of that app are for this API, set JWT_AUDIENCE_CLAIM=%s and JWT_AUDIENCE to %s",
				fill, claim, printable(e.claims[claim]))
		}
	}
	return reason, fill
}

func (e explanation) malformed() (reason, remedy string) {
	const fetch = "send a JWT: Better Auth has it at /api/auth/token, Auth0 and Logto if the app names the API (audience, resource)"
	switch len(e.parts) {
	case 1:
		return "it is not a JWT; only its issuer can read an opaque token", fetch
	case 3:
	case 5:
		return "it is an encrypted token (JWE), which only its issuer can read", fetch
	default:
		return fmt.Sprintf("a JWT has three parts with dots between them, and this has %d", len(e.parts)), ""
	}
	if strings.ContainsAny(strings.Join(e.parts, ""), " \t\r\n") {
		return "it has white space, as after a second Bearer", "send Authorization: Bearer, one space, and the token alone"
	}
	if _, err := decodePart(e.parts[0]); err != nil {
		return "its first part is not a JSON object in base64url that has each member once", ""
	}
	if _, err := decodePart(e.parts[1]); err != nil {
		return "its second part is not a JSON object in base64url that has each claim once", ""
	}
	return "its signature is not base64url, or has bits that no byte needs", ""
}

func (e explanation) noUserID() (reason, remedy string) {
	public := e.algorithm() != "HS256"
	switch {
	case e.claims["user_id"] != nil:
		return "its user_id is not a string of 1 to 255 characters", ""
	case public:
		return "it has neither user_id nor sub", ""
	case e.claims["session"] != nil:
		return "it is a session cookie of Better Auth, signed with the same secret, and not a token for an API", "send a token with user_id"
	case e.claims["email"] != nil && e.claims["sub"] == nil:
		return "it is of one of Better Auth's e-mail links, signed with the same secret, and not a token for an API", "send a token with user_id"
	}
	return "it has no user_id; with HS256 only that claim names the user, never by sub", "sign it with user_id"
}

func (e explanation) badTime(refused Reason) (reason, remedy string) {
	switch {
	case refused == Expired:
		return "it expired " + describeTime(e.claims["exp"]), "have a new one issued"
	case refused == BadTime && e.claims["exp"] == nil:
		return "it has no exp, so that it would never expire", ""
	case refused == BadTime:
		return "one of its times (exp, nbf, iat) is not a number of seconds since 1970 within the calendar", ""
	}
	return "it is not valid yet: nbf or iat is to come, by more than the minute that clocks may differ", "set the clocks"
}
