package api

import (
	"github.com/openimsdk/protocol/sdkws"

	"github.com/parley-im/parley/internal/im"
)

// maxPage is the most rows one page holds; OpenIM's clients ask for 300.
const maxPage = 5000

// paging converts a request for a page. Without one, or with nothing to show,
// the answer holds only the total.
func paging(p *sdkws.RequestPagination) (offset, limit int, err error) {
	switch {
	case p == nil || p.ShowNumber <= 0:
		return 0, 0, nil
	case p.PageNumber < 1:
		return 0, 0, im.ErrArgs.With("pageNumber is invalid")
	case p.ShowNumber > maxPage:
		return 0, 0, im.ErrArgs.With("showNumber is larger than %d", maxPage)
	}
	return (int(p.PageNumber) - 1) * int(p.ShowNumber), int(p.ShowNumber), nil
}
