package routes

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/models/database"
)

// retryAfter is how many seconds a client should wait after a 503.
const retryAfter = "1"

// answerError is the app's only error handler. It writes the answer that an error carries. The access log has the cause.
func answerError(metrics *middleware.Metrics) fiber.ErrorHandler {
	return func(c *fiber.Ctx, err error) error {
		answer := toAnswer(err)
		switch answer.Status {
		case fiber.StatusUnauthorized:
			c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
			metrics.CountRefusal(answer.Error())
		case fiber.StatusServiceUnavailable:
			c.Set(fiber.HeaderRetryAfter, retryAfter)
		}
		return c.Status(answer.Status).JSON(struct {
			Detail any `json:"detail"`
		}{answer.Detail})
	}
}

// toAnswer returns the answer that an error carries. Other errors are Fiber's, those of an unavailable database (503), and
// faults of the program (500).
func toAnswer(err error) *models.Error {
	var (
		answer  *models.Error
		refused *fiber.Error
	)
	status := fiber.StatusInternalServerError
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &refused):
		status = refused.Code
	case database.Unavailable(err):
		return models.Unavailable(err)
	}
	return &models.Error{Status: status, Detail: utils.StatusMessage(status), Cause: err}
}

// encodeJSON writes times in UTC as RFC 3339, always with six digits of the second, so that they sort as text.
func encodeJSON(value any) ([]byte, error) { return json.Marshal(value, jsonOptions) }

var jsonOptions = json.JoinOptions(jsontext.AllowDuplicateNames(true), json.WithMarshalers(json.MarshalToFunc(encodeTime)))

func encodeTime(enc *jsontext.Encoder, t time.Time) error {
	text := t.UTC().AppendFormat(append(enc.AvailableBuffer(), '"'), time.RFC3339) // the form that Go writes fastest
	text[len(text)-1] = '.'
	for micros, unit := t.Nanosecond()/1000, 100_000; unit > 0; unit /= 10 {
		text = append(text, byte('0'+micros/unit%10))
	}
	return enc.WriteValue(append(text, 'Z', '"'))
}
