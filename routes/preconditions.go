package routes

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes/bind"
)

// errPrecondition refuses a change of a row that is not, or no longer, in a version that If-Match names.
var errPrecondition = &models.Error{Status: fiber.StatusPreconditionFailed, Detail: "Precondition Failed"}

// entityTag and tagList are those of RFC 9110, sections 8.8.3 and 5.6.1.2. A list may have empty elements.
const entityTag = `(?:W/)?("[^\x00-\x20"\x7f]*")`

var (
	aTag    = regexp.MustCompile(entityTag)
	tagList = regexp.MustCompile(`^[ \t,]*` + entityTag + `(?:[ \t]*,[ \t,]*` + entityTag + `)*[ \t,]*$`)
)

// tags are the value of If-Match or If-None-Match: a list of tags, or any. A weak tag counts as the strong one that a proxy
// made it from. The zero value is that of a request without the header.
type tags struct {
	given, any bool
	list       []string
}

// readTags reads a request's header. Its error is a 400.
func readTags(c *fiber.Ctx, header string) (t tags, err error) {
	lines := c.Request().Header.PeekAll(header)
	if len(lines) == 0 {
		return t, nil
	}
	var text strings.Builder
	for i, line := range lines {
		if i > 0 {
			text.WriteByte(',')
		}
		text.Write(line)
	}
	if strings.Trim(text.String(), " \t") == "*" {
		return tags{given: true, any: true}, nil
	}
	if !tagList.MatchString(text.String()) {
		return t, badHeader(header)
	}
	for _, found := range aTag.FindAllStringSubmatch(text.String(), -1) {
		t.list = append(t.list, found[1])
	}
	t.given = true
	return t, nil
}

// badHeader returns the 400 of a request with a malformed header.
func badHeader(name string) error {
	return &models.Error{Status: fiber.StatusBadRequest, Detail: "Invalid " + name + " header"}
}

// match reports whether one of the tags is the given one.
func (t tags) match(tag string) bool { return t.any || slices.Contains(t.list, tag) }

// versionTag returns the tag of a row's version.
func versionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// answerUnchanged prepares the answer to a GET, which caches may keep but have to ask about: its tag, and the 304 if it is
// one of those that the client knows.
func answerUnchanged(c *fiber.Ctx, tag string, known tags) (unchanged bool) {
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Vary(fiber.HeaderAuthorization)
	if unchanged = known.match(tag); unchanged {
		c.Status(fiber.StatusNotModified)
	}
	return unchanged
}

// target is the row that a request is to change, in one of the versions that If-Match allows.
type target struct {
	id    int64
	match tags
}

// targetOf reads a request's target. The error is also that of the body, if that has one.
func targetOf(c *fiber.Ctx, badBody error) (t target, err error) {
	var badID, badMatch error
	t.id, badID = bind.PathID(c)
	t.match, badMatch = readTags(c, fiber.HeaderIfMatch)
	return t, bind.Join(badID, badBody, badMatch)
}

// conditional reports whether the row must be in one of some versions.
func (t target) conditional() bool { return t.match.given && !t.match.any }

// versions returns the tags of If-Match, separated by commas, for the condition [versionIn].
func (t target) versions() string { return strings.ToValidUTF8(strings.Join(t.match.list, ","), "?") }

// requireRow returns the error of a statement on a target, or the 404 or 412 of one that met no row. The statement that tells the
// two apart runs only if If-Match names versions.
func requireRow[T models.Row](c *fiber.Ctx, db *gorm.DB, t target, met bool, err error) error {
	if err != nil || met {
		return err
	}
	if t.conditional() {
		var id int64
		exists := rowOf(db.WithContext(c.UserContext()).Model(new(T)), middleware.UserID(c), t.id).Limit(1).Pluck("id", &id)
		if exists.Error != nil {
			return exists.Error
		}
		if exists.RowsAffected > 0 {
			return errPrecondition
		}
	}
	return models.NotFound(reflect.TypeFor[T]().Name())
}
