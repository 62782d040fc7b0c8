package routes

import (
	"errors"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"taskapi/middleware"
	"taskapi/middleware/token"
	"taskapi/models"
	"taskapi/models/database"
)

// problem is the body of every answer that is not a success.
type problem struct {
	Detail any `json:"detail"`
}

// retryAfter is how many seconds a client should wait before it repeats a request that met a 503.
const retryAfter = "1"

// answerError is the app's only error handler: it alone decides on the status and words of an error. Clients read fixed
// phrases; the cause of a fault of ours goes to the log.
func answerError(log *slog.Logger, metrics *middleware.Metrics) fiber.ErrorHandler {
	return func(c *fiber.Ctx, err error) error {
		if errors.Is(err, models.ErrNoAccount) {
			err = token.NoAccount
		}
		status, detail := judge(err)
		switch status {
		case fiber.StatusUnauthorized:
			c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
			log.Warn("unauthenticated", "request_id", middleware.RequestID(c), "reason", err.Error())
			metrics.Refused(err.Error())
		case fiber.StatusServiceUnavailable:
			c.Set(fiber.HeaderRetryAfter, retryAfter)
			log.Warn("unavailable", "request_id", middleware.RequestID(c), "cause", err.Error())
		case fiber.StatusInternalServerError:
			log.Error("internal error", "request_id", middleware.RequestID(c), "cause", err.Error())
		}
		return c.Status(status).JSON(problem{detail})
	}
}

// judge gives each error its status and the detail that clients are told.
func judge(err error) (status int, detail any) {
	var (
		missing *models.NotFoundError
		refused *fiber.Error
	)
	if found := allFaults(err); found != nil {
		return fiber.StatusUnprocessableEntity, found
	}
	switch {
	case errors.Is(err, token.ErrUnauthenticated):
		return fiber.StatusUnauthorized, "Invalid authentication credentials"
	case errors.Is(err, errStatusFilter):
		return fiber.StatusBadRequest, "Invalid status filter: must be 'pending', 'completed', or 'all'"
	case errors.As(err, &missing):
		return fiber.StatusNotFound, missing.Error()
	case errors.As(err, &refused):
		status = refused.Code
	case errors.Is(err, middleware.ErrDraining), errors.Is(err, middleware.ErrBusy), errors.Is(err, token.ErrNoKeySet), database.Unavailable(err):
		status = fiber.StatusServiceUnavailable
	default:
		status = fiber.StatusInternalServerError
	}
	return status, utils.StatusMessage(status)
}

// allFaults gathers the faults of a request whose parts were checked one by one, or nil if an error is of another kind.
func allFaults(err error) (all faults) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		errors.As(err, &all)
		return all
	}
	for _, part := range joined.Unwrap() {
		found := allFaults(part)
		if found == nil {
			return nil
		}
		all = append(all, found...)
	}
	return all
}

// encodeJSON writes times as RFC 3339 in UTC with all six digits of a microsecond, so that they also sort as text.
func encodeJSON(value any) ([]byte, error) { return json.Marshal(value, jsonOptions) }

var jsonOptions = json.JoinOptions(jsontext.AllowDuplicateNames(true), json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, t time.Time) error {
	return enc.WriteValue(t.UTC().AppendFormat(enc.AvailableBuffer(), `"2006-01-02T15:04:05.000000Z"`))
})))
