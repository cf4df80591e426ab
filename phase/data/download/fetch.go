package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// temporary marks an error after which the same request may do better.
type temporary struct{ error }

// local marks an error that no server can help with.
type local struct{ error }

func (e temporary) Unwrap() error { return e.error }
func (e local) Unwrap() error     { return e.error }

const maxRedirects = 10

// checkRedirect follows a redirect, but not to a connection that anyone can
// read where one was wanted that nobody can.
func checkRedirect(next *http.Request, before []*http.Request) error {
	if len(before) > maxRedirects {
		return redirectError(fmt.Sprintf("more than %d redirects, the last to %s", maxRedirects, next.URL.Redacted()))
	}
	if before[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return redirectError(fmt.Sprintf("redirects from https to %s, want https", next.URL.Redacted()))
	}
	return nil
}

type redirectError string

func (e redirectError) Error() string { return string(e) }

// fetch completes p from the first of the folders of bases that has it, and
// says from which URL.
func (g *getter) fetch(ctx context.Context, p *part, bases []string) (string, error) {
	failed := &ServerError{File: p.File}
	for _, base := range bases {
		u, err := url.Parse(base)
		if err != nil {
			return "", err
		}
		u = u.JoinPath(p.Name)
		if err = g.fetchFrom(ctx, p, u); err == nil {
			if err = g.check(ctx, p.File, p.file); err == nil {
				return u.Redacted(), nil
			}
			if ctx.Err() == nil {
				err = fmt.Errorf("%w: deleted", err)
				if lost := p.reset(); lost != nil {
					err = p.failed(lost)
				}
			}
		}
		var mine local
		if ctx.Err() != nil || errors.As(err, &mine) {
			return "", err
		}
		failed.URLs, failed.Errs = append(failed.URLs, u.Redacted()), append(failed.Errs, err)
		if len(failed.URLs) < len(bases) {
			g.report(Progress{Note: fmt.Sprintf("%s: %v: trying another server", u.Redacted(), err)})
		}
	}
	return "", failed
}

// fetchFrom completes p from u, in as many requests as it takes, as long as
// they bring something.
func (g *getter) fetchFrom(ctx context.Context, p *part, u *url.URL) error {
	most, failures := p.size, 0
	for p.size < p.Size {
		err := g.request(ctx, p, u)
		var again temporary
		if err == nil || ctx.Err() != nil || !errors.As(err, &again) {
			return err
		}
		if p.size > most {
			most, failures = p.size, 0
		}
		if failures++; failures == g.tries {
			return fmt.Errorf("%w (%d times)", err, failures)
		}
		wait := g.pause << (failures - 1)
		g.report(Progress{Note: fmt.Sprintf("%s: %v after %s of %s: again in %v", p.Name, err, Megabytes(p.size), Megabytes(p.Size), wait)})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return nil
}

// request asks u for what p lacks and appends what comes.
func (g *getter) request(ctx context.Context, p *part, u *url.URL) error {
	stalled := temporary{fmt.Errorf("no byte for %v", g.stall)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(g.stall, func() { cancel(stalled) })
	defer watchdog.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "phase")
	req.Header.Set("Accept-Encoding", "identity") // the bytes of the file, not of an encoding of it
	if p.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		if v := p.from.validator(); v != "" && p.from.URL == u.Redacted() {
			req.Header.Set("If-Range", v)
		}
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return connection(ctx, err)
	}
	defer resp.Body.Close()
	if err := p.accept(resp, u); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			watchdog.Reset(g.stall)
			if p.size+int64(n) > p.Size {
				return fmt.Errorf("sends more than the %d bytes of %s", p.Size, p.Name)
			}
			if err := p.write(buf[:n]); err != nil {
				return err
			}
			g.report(Progress{Step: "fetch", File: p.Name, Done: p.size, Total: p.Size})
		}
		switch {
		case err == io.EOF && p.size == p.Size:
			return nil
		case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
			return temporary{errors.New("the connection was cut")}
		case err != nil:
			return connection(ctx, err)
		}
	}
}

// connection sorts the errors of a connection.
func connection(ctx context.Context, err error) error {
	var redirect redirectError
	var name *net.DNSError
	var stalled temporary
	var outer *url.Error
	switch {
	case errors.As(context.Cause(ctx), &stalled):
		return stalled
	case errors.As(err, &redirect):
		return redirect
	case errors.As(err, &outer): // it repeats the URL
		err = outer.Err
	}
	if errors.As(err, &name) && name.IsNotFound {
		return fmt.Errorf("no server of the name %s is found", name.Name)
	}
	return temporary{err}
}

// accept decides what an answer is good for: p is then as long as the bytes
// that the body begins after.
func (p *part) accept(resp *http.Response, u *url.URL) error {
	now := origin{URL: u.Redacted(), ETag: resp.Header.Get("ETag"), Modified: resp.Header.Get("Last-Modified")}
	again := func(format string, a ...any) error {
		if err := p.begin(now); err != nil {
			return err
		}
		return temporary{fmt.Errorf(format, a...)}
	}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		if n := resp.ContentLength; n >= 0 && n != p.Size {
			return fmt.Errorf("answers with %d bytes (%s), want %d", n, resp.Header.Get("Content-Type"), p.Size)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			return errors.New("answers with a web page, not with a file")
		}
		return p.begin(now) // all of it, whatever was asked for
	case code == http.StatusPartialContent && p.size > 0:
		from, total, err := contentRange(resp.Header.Get("Content-Range"))
		switch {
		case err != nil:
			return again("%v", err)
		case total >= 0 && total != p.Size:
			return fmt.Errorf("has a file of %d bytes, want %d", total, p.Size)
		case from != p.size:
			return again("sends bytes from %d on, want from %d", from, p.size)
		case p.from.changed(now):
			return again("the file has changed on the server")
		}
		return nil
	case code == http.StatusRequestedRangeNotSatisfiable:
		return again("answers %s to a request for bytes from %d on", resp.Status, p.size)
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return temporary{fmt.Errorf("answers %s", resp.Status)}
	default:
		return fmt.Errorf("answers %s", resp.Status)
	}
}

// contentRange reads "bytes FROM-TO/TOTAL"; the total may be unknown: -1.
func contentRange(s string) (from, total int64, err error) {
	var to int64
	if _, err = fmt.Sscanf(s, "bytes %d-%d/%d", &from, &to, &total); err == nil {
		return from, total, nil
	}
	if _, err = fmt.Sscanf(s, "bytes %d-%d/*", &from, &to); err == nil {
		return from, -1, nil
	}
	return 0, 0, fmt.Errorf("sends a part of the file with the range %q, want bytes FROM-TO/TOTAL", s)
}
