package middleware

import (
	"errors"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

const (
	// maxLists is how many lists of one user are made at a time.
	maxLists = 32
	// listBlock is the unit of the memory for lists, in bytes.
	listBlock = 64 << 10
	// maxListMemory is the limit of all lists in memory, and maxListShare that of one user's, in blocks: 128 and 64 MB.
	maxListMemory = 128 << 20 / listBlock
	maxListShare  = maxListMemory / 2
	// largeList is the size, in blocks, from which a list may not use the last eighth of the memory. The system gets the
	// memory of such lists back after giveBackTime.
	largeList    = 1 << 20 / listBlock
	giveBackTime = 2 * time.Second
)

var (
	errListMemory = models.Unavailable(errors.New("the memory for lists is used up"))
	errListSize   = &models.Error{
		Status: http.StatusServiceUnavailable, Detail: "The list is larger than the server's memory for answers: ask for fewer rows with limit",
	}
)

// listMemory counts the memory that the lists of all users use.
type listMemory struct {
	mu         sync.Mutex
	used       int // in blocks
	users      map[string]*listShare
	blocks     sync.Pool // of *[listBlock]byte
	givingBack bool
}

// listShare is what one user's lists use.
type listShare struct{ making, blocks int }

// begin counts a list in the making. It reports whether the user may have it.
func (m *listMemory) begin(l *List) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.share = m.users[l.user]
	if l.share == nil {
		l.share = &listShare{}
		m.users[l.user] = l.share
	}
	if l.share.making == maxLists {
		return false
	}
	l.share.making++
	return true
}

// end ends the making of a list, which may stay in memory.
func (m *listMemory) end(l *List) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.share.making--
	m.forget(l)
}

// forget drops the share of a user who has no list any more. The caller holds the lock.
func (m *listMemory) forget(l *List) {
	if *l.share == (listShare{}) {
		delete(m.users, l.user)
	}
}

// take adds a block to a list. If it cannot, it empties the list and returns the request's error. Others get what the list
// had, so that of large lists that are made together, some end.
func (m *listMemory) take(l *List) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case len(l.blocks) == maxListShare:
		err = errListSize
	case l.share.blocks == maxListShare:
		err = fiber.ErrTooManyRequests
	case m.used == maxListMemory || len(l.blocks) >= largeList && m.used >= maxListMemory*7/8:
		err = errListMemory
	}
	if err != nil {
		m.empty(l)
		return err
	}
	block, ok := m.blocks.Get().(*[listBlock]byte)
	if !ok {
		block = new([listBlock]byte)
	}
	l.blocks, l.Buffers = append(l.blocks, block), append(l.Buffers, block[:0])
	m.used++
	l.share.blocks++
	return nil
}

// release empties a list. A list that is empty may belong to a share that is forgotten.
func (m *listMemory) release(l *List) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(l.blocks) > 0 {
		m.empty(l)
		m.forget(l)
	}
}

// empty frees a list's blocks. The caller holds the lock.
func (m *listMemory) empty(l *List) {
	if len(l.blocks) >= largeList && !m.givingBack {
		m.givingBack = true
		time.AfterFunc(giveBackTime, m.giveBack)
	}
	for _, block := range l.blocks {
		m.blocks.Put(block)
	}
	m.used -= len(l.blocks)
	l.share.blocks -= len(l.blocks)
	l.blocks, l.Buffers = nil, nil
}

// giveBack returns memory to the system. The runtime alone would return it after its next collections, which are minutes
// away if the server has nothing to do.
func (m *listMemory) giveBack() {
	m.mu.Lock()
	m.givingBack = false
	m.mu.Unlock()
	runtime.GC() // a pool keeps what it has until the second collection
	debug.FreeOSMemory()
}
