package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// advice is why a token is refused, and what would change that, or "".
type advice struct{ reason, remedy string }

// describe puts the error of a refusal in words.
func (e explanation) describe(err error) advice {
	var refused Reason
	errors.As(err, &refused)
	algorithm, kid, set := e.algorithm(), printable(e.header["kid"]), e.cfg.Issuer.KeySetURL
	return map[Reason]advice{
		"": {fmt.Sprintf("the key set cannot be fetched, so that a server would answer 503: %v", e.unreachable),
			"see that BETTER_AUTH_URL or JWKS_URL is right and can be reached from here"},
		Malformed:         e.malformed(),
		CriticalExtension: {"its header demands an extension (crit), and none is known", ""},
		WrongType:         {"its typ is " + printable(e.header["typ"]) + " and must be JWT or at+jwt", "send an access token"},
		WrongAlgorithm:    e.wrongAlgorithm(),
		NoKeyID:           {"its header does not name the key that signed it: its kid is " + kid, ""},
		UnknownKey: {"the key set at " + set + " does not have its key " + kid,
			"set BETTER_AUTH_URL or JWKS_URL to the server that signed it, if that is another one"},
		WrongKey:      {"its key " + kid + " is not one for " + algorithm, ""},
		BadSignature:  e.badSignature(),
		WrongIssuer:   e.wrongIssuer(),
		WrongAudience: e.wrongAudience(),
		NoUserID:      e.noUserID(),
		Expired:       {"it expired " + describeTime(e.claims["exp"]), "have a new one issued"},
		NotYetValid:   {"it is not valid yet: nbf or iat is to come, by more than the minute that clocks may differ", "set the clocks"},
		BadTime: {"it has no exp, or one of its times (exp, nbf, iat) is not a number of seconds since 1970 within the calendar",
			""},
	}[refused]
}

func (e explanation) malformed() advice {
	switch {
	case len(e.parts) != 3:
		return advice{
			fmt.Sprintf("it is not a JWT, which has three parts with dots between them, and this has %d; "+
				"only its issuer can read an opaque or an encrypted token", len(e.parts)),
			"send a JWT: Better Auth has it at /api/auth/token, Auth0 and Logto if the app names the API (audience, resource)",
		}
	case strings.ContainsAny(strings.Join(e.parts, ""), " \t\r\n"):
		return advice{"it has white space, as after a second Bearer", "send Authorization: Bearer, one space, and the token alone"}
	}
	return advice{"its parts are not base64url without needless bits, the first two of JSON objects that have each member once", ""}
}

func (e explanation) wrongAlgorithm() advice {
	algorithm := e.algorithm()
	switch {
	case algorithm == "HS256":
		return advice{"HS256 token, but BETTER_AUTH_SECRET is not set", "set BETTER_AUTH_SECRET to the secret that signed it"}
	case !slices.Contains(publicAlgorithms, algorithm):
		return advice{"its algorithm is " + printable(e.header["alg"]) + "; accepted are HS256 with a shared secret, and " +
			strings.Join(publicAlgorithms, ", ") + " with a key set", ""}
	case e.claims.text("iss") == "":
		return advice{algorithm + " token, but BETTER_AUTH_URL is not set; and it has no iss that names its issuer", ""}
	}
	return advice{algorithm + " token, but BETTER_AUTH_URL is not set",
		"set BETTER_AUTH_URL if Better Auth signed it, else JWKS_URL, JWT_ISSUER and JWT_AUDIENCE; its iss is " + printable(e.claims["iss"])}
}

func (e explanation) badSignature() advice {
	if e.algorithm() == "HS256" {
		return advice{"its signature is not by a secret that is set here, or it was changed or cut on its way",
			"set BETTER_AUTH_SECRET to the secret that signed it; while secrets rotate, list both in BETTER_AUTH_SECRETS"}
	}
	return advice{"its signature is not by the key that it names, or it was changed or cut on its way", ""}
}

func (e explanation) wrongIssuer() advice {
	reason := fmt.Sprintf("its iss is %s and must be %q", printable(e.claims["iss"]), e.cfg.Issuer.Name)
	if e.claims.text("iss") == "" {
		return advice{reason, ""}
	}
	return advice{reason, "set JWT_ISSUER to that iss, if it is the server that you trust"}
}

func (e explanation) wrongAudience() advice {
	const fill = "have the issuer put the name of this API into aud"
	aud := e.claims["aud"]
	reason := fmt.Sprintf(`its aud is %s and must be or hold "%s"`, printable(aud), strings.Join(e.cfg.Issuer.Audiences, `" or "`))
	if e.claims.audiences("") != nil {
		return advice{reason, "set JWT_AUDIENCE, if that aud means this API"}
	}
	for _, claim := range []string{"azp", "client_id"} {
		if aud == nil && e.claims.text(claim) != "" {
			return advice{reason, fmt.Sprintf("%s; or, if all tokens of that app are for this API, set JWT_AUDIENCE_CLAIM=%s and JWT_AUDIENCE to %s",
				fill, claim, printable(e.claims[claim]))}
		}
	}
	return advice{reason, fill}
}

func (e explanation) noUserID() advice {
	switch {
	case e.claims["user_id"] != nil:
		return advice{"its user_id is not a string of 1 to 255 characters", ""}
	case e.algorithm() != "HS256":
		return advice{"it has neither user_id nor sub", ""}
	}
	return advice{"it has no user_id; with HS256 only that claim names the user, never sub. " +
		"Better Auth signs session cookies and e-mail links with the same secret, and they have none", "send a token with user_id"}
}
