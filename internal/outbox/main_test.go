package outbox_test

import (
	"testing"

	"github.com/parley-im/parley/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
