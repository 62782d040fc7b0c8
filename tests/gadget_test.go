package tests

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"taskapi/models"
	"taskapi/routes"
)

// GadgetInput has a field of every kind that a resource may have.
type GadgetInput struct {
	Name   string     `json:"name" gorm:"size:20;not null" validate:"required,max=20,notblank" sort:"true" doc:"What it is called." example:"Whisk"`
	Note   *string    `json:"note" gorm:"size:30" validate:"omitnil,max=30" doc:"What else there is to say." example:"second drawer"`
	Colour string     `json:"colour" gorm:"size:10;not null;default:yellow" validate:"oneof=yellow green blue" doc:"Its colour." example:"green"`
	Size   *string    `json:"size" gorm:"size:10" validate:"omitnil,oneof=small large" doc:"Its size, if that is known." example:"large"`
	Level  int64      `json:"level" gorm:"not null;default:1" validate:"oneof=1 2 3" doc:"How hard it is to use." example:"2"`
	Active bool       `json:"active" gorm:"not null;default:true" doc:"Whether it works." example:"false"`
	Stars  int64      `json:"stars" gorm:"not null;default:3" validate:"min=0,max=5" doc:"How good it is." example:"4"`
	Serial *int64     `json:"serial" doc:"The number on its back." example:"9007199254740993"`
	Weight float64    `json:"weight" gorm:"not null" validate:"gte=-1000,lte=1000" doc:"In kilograms." example:"0.25"`
	Ratio  *float64   `json:"ratio" validate:"omitnil,gt=0,lt=1" doc:"Its share." example:"0.5"`
	Energy *float64   `json:"energy" doc:"In joules." example:"1.5"`
	Made   time.Time  `json:"made" gorm:"not null" validate:"required" doc:"When it was made." example:"2026-01-08T10:30:00Z"`
	Due    *time.Time `json:"due" doc:"When it has to go back." example:"2026-02-08T10:30:00+01:00"`
}

// Gadget is a resource that only tests declare.
type Gadget struct {
	models.Owner
	GadgetInput
	Retired bool `json:"retired" gorm:"not null;default:false" patch:"true" doc:"Whether it is out of use." example:"false"`
	models.Timestamps
}

func newGadget(userID string, in GadgetInput) Gadget {
	return Gadget{Owner: models.Owner{UserID: userID}, GadgetInput: in}
}

// gadgets declares the resource as the program declares its own.
var gadgets = declared{models: []any{&Gadget{}}, routes: func(db *gorm.DB) []routes.Route {
	return routes.Resource(db, "/api/gadgets", newGadget)
}}

// eachEngineWithGadgets is eachEngine with the further resource.
func eachEngineWithGadgets(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, databaseURL string) { test(t, newServerWith(t, databaseURL, gadgets)) })
}
