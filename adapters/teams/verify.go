package teams

import (
	"context"
	"fmt"
	"net/http"

	"github.com/infracloudio/msbotbuilder-go/connector/auth"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
)

// validator is the connector's Verifier as the library's TokenValidator.
type validator struct{ *connector.Verifier }

var _ auth.TokenValidator = validator{}

// AuthenticateRequest implements auth.TokenValidator. The error is a *connector.Refused.
func (v validator) AuthenticateRequest(ctx context.Context, act schema.Activity, header string, _ auth.CredentialProvider, _ string) (auth.ClaimsIdentity, error) {
	if err := v.Verify(ctx, header, act.ChannelID, act.ServiceURL); err != nil {
		return nil, err
	}
	return auth.NewClaimIdentity(map[string]any{auth.ServiceURLClaim: act.ServiceURL}, true), nil
}

func forbidden(format string, args ...any) error {
	return &connector.Refused{Status: http.StatusForbidden, Reason: fmt.Sprintf(format, args...)}
}
