// Package transfer copies one database into another.
package transfer

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows how far a command is: a bar on a terminal, elsewhere a line now and then.
type Progress struct {
	w     io.Writer
	phase string
	bar   *progressbar.ProgressBar
	said  time.Time
}

// NewProgress shows it on w.
func NewProgress(w io.Writer) *Progress { return &Progress{w: w} }

// Show says that some of a phase's tasks are done.
func (p *Progress) Show(phase string, done, total int64) {
	file, _ := p.w.(*os.File)
	terminal := file != nil && term.IsTerminal(int(file.Fd()))
	if phase != p.phase {
		p.End()
		p.phase, p.said = phase, time.Time{}
		if terminal {
			p.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(phase),
				progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
		}
	}
	if terminal {
		_ = p.bar.Set64(done)
	} else if time.Since(p.said) > 5*time.Second {
		fmt.Fprintf(p.w, "%s: %d of %d tasks\n", phase, done, total)
		p.said = time.Now()
	}
}

// End leaves the bar's line.
func (p *Progress) End() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
		p.bar = nil
	}
}
