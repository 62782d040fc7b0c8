package token_test

import (
	"fmt"
	"time"

	"taskapi/middleware/token"
)

func ExampleSign() {
	const secret = "32 characters or more, at random"
	signed, err := token.Sign(secret, "ann", time.Hour)
	fmt.Println(err)
	user, err := token.NewVerifier([]string{secret}, nil).Verify(signed)
	fmt.Println(user, err)
	_, err = token.NewVerifier([]string{"another secret"}, nil).Verify(signed)
	fmt.Println(err)
	// Output:
	// <nil>
	// ann <nil>
	// bad_signature
}
