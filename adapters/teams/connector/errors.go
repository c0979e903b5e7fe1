package connector

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// NotSent is the error of a call that surely did nothing: it never left this machine, or
// never reached the service.
type NotSent struct {
	Err   error
	After time.Duration // how long to wait before the next try; 0: nothing is known
	Final bool          // the same call can never succeed
}

func (e *NotSent) Error() string { return "not sent: " + e.Err.Error() }
func (e *NotSent) Unwrap() error { return e.Err }

// unsendable is the error of a call that can never succeed.
func unsendable(format string, args ...any) error {
	return &NotSent{Err: fmt.Errorf(format, args...), Final: true}
}

// StatusError is an answer of the service's other than 2xx.
type StatusError struct {
	Status     int           // of HTTP
	Code       string        // the service's own, such as BotNotInConversationRoster; may be empty
	RetryAfter time.Duration // the header's, at most an hour; 0 where there is none
}

func (e *StatusError) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("the connector answers %d %s", e.Status, e.Code)
	}
	return fmt.Sprintf("the connector answers %d", e.Status)
}

// MaybeDone tells whether the call may have been carried out all the same: what is behind
// a gateway that gave up (502, 504), or failed in the middle (500), may have done it.
func (e *StatusError) MaybeDone() bool {
	return e.Status >= 500 && e.Status != http.StatusServiceUnavailable
}

// retryAfter reads the header: seconds or a date; zero where there is none.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && n >= 0 {
		return time.Duration(min(n, 3600) * float64(time.Second))
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(t), 0), time.Hour)
	}
	return 0
}

// Refused is the error of an inbound request that gets no answer. Status is
//
//	401 for a token that is not the Bot Connector's,
//	403 for one that gives no right to this activity,
//	503 where there are no keys to check it with, so that Teams sends it again.
//
// Reason is for the log, not for the caller.
type Refused struct {
	Status int
	Reason string
}

func (r *Refused) Error() string { return r.Reason }

func unauthorized(format string, args ...any) error {
	return &Refused{http.StatusUnauthorized, fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &Refused{http.StatusForbidden, fmt.Sprintf(format, args...)}
}
