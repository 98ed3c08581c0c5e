"""Read pixels in threads while the model works on those already read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_cellclip.vocabulary import STAINS, CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Site

SiteRead = tuple[str, NDArray[Any] | str]
"""Site id, and its pixels (5, Y, X) or the reason why there are none."""


def read_site(site: Site) -> SiteRead:
    """Read a site; whatever goes wrong becomes a reason, for one bad image must not end a run."""
    try:
        return site.id, site.read(STAINS)
    except CellClipError as error:
        return site.id, str(error)
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        return site.id, f"site {site.id} cannot be read: {type(error).__name__}: {error}"


def read_ahead(
    sites: Sequence[Site], workers: int, window: int, read: Callable[[Site], SiteRead] = read_site
) -> Generator[SiteRead, None, None]:
    """Yield sites in order, at most `window` of them read ahead.

    Parameters
    ----------
    sites : sequence of Site
        What to read.
    workers : int
        Threads; 0 reads each site when it is asked for.
    window : int
        Bounds the memory: so many fields wait at most.
    read : callable
        What is done in the threads.

    Yields
    ------
    tuple
        Site id and pixels, or site id and the reason for the failure.
    """
    if workers == 0:
        yield from map(read, sites)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cellclip-read")
    waiting: deque[Future[SiteRead]] = deque()
    try:
        for site in sites:
            waiting.append(pool.submit(read, site))
            if len(waiting) > max(window, workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
