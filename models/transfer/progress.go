package transfer

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress is told, now and then and at the end, how many rows of a table a phase of the copy has done.
type Progress func(phase, table string, done, total int64)

// counter counts the rows of an owned model's table.
func (p Progress) counter(phase string, t *table) func() {
	if t.lastID == 0 { // users, whose number is not known, or nothing
		return nil
	}
	var done int64
	p(phase, t.name, done, t.rows)
	return func() {
		if done++; done%1000 == 0 || done == t.rows {
			p(phase, t.name, done, t.rows)
		}
	}
}

// Bar shows progress: a bar on a terminal, elsewhere a line now and then.
type Bar struct {
	w     io.Writer
	phase string
	bar   *progressbar.ProgressBar
	shown time.Time
}

// NewBar shows progress on w.
func NewBar(w io.Writer) *Bar { return &Bar{w: w} }

// Show is a [Progress].
func (b *Bar) Show(phase, table string, done, total int64) {
	file, _ := b.w.(*os.File)
	terminal := file != nil && term.IsTerminal(int(file.Fd()))
	if phase+table != b.phase {
		b.End()
		b.phase, b.shown = phase+table, time.Time{}
		if terminal {
			b.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(phase),
				progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
		}
	}
	if terminal {
		_ = b.bar.Set64(done)
	} else if time.Since(b.shown) > 5*time.Second {
		fmt.Fprintf(b.w, "%s: %d of %d %s\n", phase, done, total, table)
		b.shown = time.Now()
	}
}

// End ends the bar's line.
func (b *Bar) End() {
	if b.bar != nil {
		fmt.Fprintln(b.w)
		b.bar = nil
	}
}
