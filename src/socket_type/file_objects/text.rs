//! `io.TextIOWrapper` over a buffer of ours, for the encodings that ASCII is a part of: lines are found among the bytes, and
//! decoded one by one.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBytes, PyStr, PyStrRef, PyType, PyUtf8StrRef},
    convert::ToPyObject,
    function::{ArgIterable, OptionalArg},
    object::{Traverse, TraverseFn},
    protocol::PyIterReturn,
    pyclass,
    types::{Constructor, Destructor, IterNext, Iterable, Representable},
};

use super::{
    closed_file,
    common::{self, FileObject, Size, Whence},
    decoded::Decoded,
    exclusive::{Exclusive, Taken},
    pair::BufferedRWPair,
    reader::BufferedReader,
    unsupported,
    writer::BufferedWriter,
};
use crate::text_lines::{Encoding, Ends, Line, Newline};

#[derive(FromArgs)]
pub(crate) struct Arguments {
    #[pyarg(any)]
    buffer: PyObjectRef,
    #[pyarg(any)]
    encoding: PyUtf8StrRef,
    #[pyarg(any, default, py_default = "None")]
    errors: Option<PyUtf8StrRef>,
    #[pyarg(any, default, py_default = "None")]
    newline: Option<PyUtf8StrRef>,
}

#[derive(FromArgs)]
pub(crate) struct Settings {
    #[pyarg(named, optional, py_default = "None")]
    encoding: OptionalArg<Option<PyObjectRef>>,
    #[pyarg(named, optional, py_default = "None")]
    errors: OptionalArg<Option<PyObjectRef>>,
    #[pyarg(named, optional, py_default = "None")]
    newline: OptionalArg<PyObjectRef>,
    #[pyarg(named, default, py_default = "None")]
    line_buffering: Option<PyObjectRef>,
    #[pyarg(named, default, py_default = "None")]
    write_through: Option<PyObjectRef>,
}

/// Text over a buffer of bytes.
#[pyclass(module = "_io", name = "TextIOWrapper", traverse = "manual")]
#[derive(PyPayload)]
pub(crate) struct TextFile {
    buffer: PyObjectRef,
    reader: Option<PyRef<BufferedReader>>,
    writer: Option<PyRef<BufferedWriter>>,
    encoding: Encoding,
    encoding_name: PyUtf8StrRef,
    errors: PyUtf8StrRef,
    newline: Newline,
    line_buffering: AtomicBool,
    write_through: AtomicBool,
    /// What `read` has decoded and not returned; lines come from the bytes directly.
    decoded: Exclusive<Decoded>,
    /// The ends of lines that were met: [`Ends`].
    seen: AtomicU8,
    detached: AtomicBool,
    finalising: AtomicBool,
}

impl std::fmt::Debug for TextFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextFile")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

// SAFETY: visits each object that the payload owns, once.
unsafe impl Traverse for TextFile {
    fn traverse(&self, visit: &mut TraverseFn<'_>) {
        self.buffer.traverse(visit);
        self.reader.traverse(visit);
        self.writer.traverse(visit);
    }
}

impl Constructor for TextFile {
    type Args = Arguments;

    fn py_new(_class: &Py<PyType>, args: Self::Args, vm: &VirtualMachine) -> PyResult<Self> {
        let Some(encoding) = Encoding::parse(args.encoding.as_str()) else {
            let name = args.encoding.as_str();
            return Err(vm.new_lookup_error(format!("unknown encoding: {name}")));
        };
        let errors = args.errors.unwrap_or_else(|| vm.ctx.new_utf8_str("strict"));
        let newline = args.newline.as_ref().map(|newline| newline.as_str());
        let newline = Newline::parse(newline).ok_or_else(|| {
            vm.new_value_error(format!(
                "illegal newline value: {}",
                newline.unwrap_or_default()
            ))
        })?;
        let (reader, writer) = match args.buffer.downcast_ref::<BufferedRWPair>() {
            Some(pair) => (Some(pair.reader().clone()), Some(pair.writer().clone())),
            None => (
                args.buffer.clone().downcast::<BufferedReader>().ok(),
                args.buffer.clone().downcast::<BufferedWriter>().ok(),
            ),
        };
        if reader.is_none() && writer.is_none() {
            let class = args.buffer.class().name().to_string();
            return Err(vm.new_type_error(format!("not a buffer over a socket: '{class}'")));
        }
        Ok(Self {
            buffer: args.buffer,
            reader,
            writer,
            encoding,
            encoding_name: args.encoding,
            errors,
            newline,
            line_buffering: AtomicBool::new(false),
            write_through: AtomicBool::new(false),
            decoded: Exclusive::default(),
            seen: AtomicU8::new(0),
            detached: AtomicBool::new(false),
            finalising: AtomicBool::new(false),
        })
    }
}

impl TextFile {
    fn buffer(&self, vm: &VirtualMachine) -> PyResult<&PyObject> {
        if self.detached.load(Ordering::Acquire) {
            return Err(vm.new_value_error("underlying buffer has been detached"));
        }
        Ok(&self.buffer)
    }

    fn is_closed(&self, vm: &VirtualMachine) -> PyResult<bool> {
        self.buffer(vm)?;
        match (&self.writer, &self.reader) {
            (Some(writer), _) => writer.is_closed(vm),
            (None, Some(reader)) => reader.is_closed(vm),
            (None, None) => Ok(true),
        }
    }

    #[inline]
    fn check_open(&self, vm: &VirtualMachine) -> PyResult<()> {
        if self.is_closed(vm)? {
            return Err(closed_file(vm));
        }
        Ok(())
    }

    #[inline]
    fn reader(&self, vm: &VirtualMachine) -> PyResult<&Py<BufferedReader>> {
        self.check_open(vm)?;
        match &self.reader {
            Some(reader) => Ok(reader),
            None => Err(unsupported(vm, "not readable")),
        }
    }

    #[inline]
    fn writer(&self, vm: &VirtualMachine) -> PyResult<&Py<BufferedWriter>> {
        self.check_open(vm)?;
        match &self.writer {
            Some(writer) => Ok(writer),
            None => Err(unsupported(vm, "not writable")),
        }
    }

    /// Has what is decoded to itself, for a read that may have to wait.
    fn enter<'a>(
        zelf: &'a Py<Self>,
        reader: &BufferedReader,
        vm: &VirtualMachine,
    ) -> PyResult<Taken<'a, Decoded>> {
        let reentrant = || super::reentrant(zelf.as_object(), vm);
        let decoded = zelf.decoded.take(vm, reentrant, || {})?;
        reader.check_in_time(vm)?;
        Ok(decoded)
    }

    #[inline]
    fn note(&self, ends: Ends) {
        let seen = self.seen.load(Ordering::Relaxed);
        if seen | ends.0 != seen {
            self.seen.fetch_or(ends.0, Ordering::Relaxed);
        }
    }

    #[inline]
    fn decode(&self, bytes: Vec<u8>, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        match self.encoding.decode(bytes) {
            Ok(text) => Ok(vm.ctx.new_str(text)),
            Err(bytes) => self.decode_with_errors(bytes, vm),
        }
    }

    #[cold]
    fn decode_with_errors(&self, bytes: Vec<u8>, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        let bytes: PyRef<PyBytes> = vm.ctx.new_bytes(bytes);
        let errors = Some(self.errors.clone());
        let name = self.encoding_name.as_str();
        let text = vm
            .state
            .codec_registry
            .decode(bytes.into(), name, errors, vm)?;
        text.try_into_value(vm)
    }

    #[inline]
    fn line(zelf: &Py<Self>, limit: Option<usize>, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        let reader = zelf.reader(vm)?;
        let limit = limit.unwrap_or(usize::MAX);
        if zelf.decoded.with(|decoded| decoded.is_empty()) == Some(true) {
            // A line of so few bytes has no more characters either.
            let fits = |bytes: &[u8]| match zelf.newline.find(bytes, 0, false) {
                Line::Ends(length) if length <= limit => Some(length),
                _ => None,
            };
            if let Some(mut line) = reader.take_ready(fits) {
                zelf.note(zelf.newline.end_line(&mut line));
                return zelf.decode(line, vm);
            }
        }
        Self::line_from_raw(zelf, reader, limit, vm)
    }

    fn line_from_raw(
        zelf: &Py<Self>,
        reader: &Py<BufferedReader>,
        limit: usize,
        vm: &VirtualMachine,
    ) -> PyResult<PyStrRef> {
        let mut decoded = Self::enter(zelf, reader, vm)?;
        if decoded.is_empty() {
            // None where the limit may cut the line: its characters have to be counted.
            let find =
                |bytes: &[u8], searched, is_last| match zelf.newline.find(bytes, searched, is_last)
                {
                    Line::Ends(length) if length > limit => Line::Ends(0),
                    Line::Open(_) if bytes.len() >= limit => Line::Ends(0),
                    found => found,
                };
            let mut line = BufferedReader::take_line(reader, find, vm)?;
            if !line.is_empty() {
                zelf.note(zelf.newline.end_line(&mut line));
                return zelf.decode(line, vm);
            }
        }
        loop {
            if let Some(line) = decoded.take_line(zelf.newline, limit) {
                return Ok(vm.ctx.new_str(line));
            }
            if !zelf.decode_more(reader, &mut decoded, vm)? {
                return Ok(vm.ctx.new_str(decoded.take(usize::MAX)));
            }
        }
    }

    /// Decodes what there is, or comes with the next read of the raw stream. False at its end.
    fn decode_more(
        &self,
        reader: &Py<BufferedReader>,
        decoded: &mut Decoded,
        vm: &VirtualMachine,
    ) -> PyResult<bool> {
        let complete = |bytes: &[u8]| self.encoding.complete(bytes, self.newline);
        let bytes = BufferedReader::take_complete(reader, complete, vm)?;
        let is_more = !bytes.is_empty();
        let (bytes, ends) = self.newline.end_lines(bytes);
        self.note(ends);
        decoded.append(self.decode(bytes, vm)?.as_wtf8());
        Ok(is_more)
    }

    fn read_text(zelf: &Py<Self>, size: &Size, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        let reader = zelf.reader(vm)?;
        let mut decoded = Self::enter(zelf, reader, vm)?;
        let Some(size) = size.limit() else {
            let rest = BufferedReader::read_all(reader, vm)?;
            let Some(bytes) = rest.downcast_ref::<PyBytes>() else {
                let error = vm.ctx.exceptions.blocking_io_error.to_owned();
                return Err(vm.new_exception_msg(error, "Read returned None.".into()));
            };
            let (bytes, ends) = zelf.newline.end_lines(bytes.as_bytes().to_vec());
            zelf.note(ends);
            let rest = zelf.decode(bytes, vm)?;
            if decoded.is_empty() {
                return Ok(rest);
            }
            decoded.append(rest.as_wtf8());
            return Ok(vm.ctx.new_str(decoded.take(usize::MAX)));
        };
        while !decoded.has(size) {
            if !zelf.decode_more(reader, &mut decoded, vm)? {
                break;
            }
        }
        Ok(vm.ctx.new_str(decoded.take(size)))
    }

    fn write_text(zelf: &Py<Self>, text: &PyObject, vm: &VirtualMachine) -> PyResult<usize> {
        let Some(text) = text.downcast_ref::<PyStr>() else {
            let class = text.class().name().to_string();
            return Err(vm.new_type_error(format!("write() argument must be str, not {class}")));
        };
        let writer = zelf.writer(vm)?;
        let bytes = text.as_bytes();
        let is_translated =
            zelf.newline.written() != "\n" && memchr::memchr(b'\n', bytes).is_some();
        let as_it_is = match zelf.encoding {
            Encoding::Utf8 => text.to_str().is_some(),
            Encoding::Ascii | Encoding::Latin1 => bytes.is_ascii(),
        };
        if as_it_is && !is_translated {
            BufferedWriter::write_slice(writer, bytes, vm)?;
        } else {
            let text = if is_translated {
                let ended = text
                    .as_wtf8()
                    .replace("\n".as_ref(), zelf.newline.written().as_ref());
                vm.ctx.new_str(ended)
            } else {
                text.to_owned()
            };
            let errors = Some(zelf.errors.clone());
            let name = zelf.encoding_name.as_str();
            let encoded = vm
                .state
                .codec_registry
                .encode_text(text, name, errors, vm)?;
            BufferedWriter::write_slice(writer, encoded.as_bytes(), vm)?;
        }
        if zelf.line_buffering.load(Ordering::Relaxed)
            && memchr::memchr2(b'\n', b'\r', bytes).is_some()
        {
            BufferedWriter::write_out(writer, vm)?;
        }
        Ok(text.char_len())
    }

    fn lines(zelf: &Py<Self>, hint: &Size, vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        common::lines(hint, || {
            let line = Self::line(zelf, None, vm)?;
            let length = line.char_len();
            Ok((length > 0).then(|| (line.into(), length)))
        })
    }

    fn flush_buffer(&self, vm: &VirtualMachine) -> PyResult<()> {
        self.check_open(vm)?;
        match &self.writer {
            Some(writer) => BufferedWriter::write_out(writer, vm),
            None => Ok(()),
        }
    }
}

impl FileObject for TextFile {
    const STANDS_FOR: &'static str = "TextIOWrapper";
}

#[pyclass(
    with(Constructor, Destructor, Iterable, IterNext, Representable, FileObject),
    flags(HAS_DICT, HAS_WEAKREF)
)]
impl TextFile {
    /// Whether this class does for an encoding.
    #[pystaticmethod]
    fn _knows(encoding: PyObjectRef) -> bool {
        let name = encoding
            .downcast_ref::<PyStr>()
            .and_then(|name| name.to_str());
        name.is_some_and(|name| Encoding::parse(name).is_some())
    }

    /// Read size characters, or all up to the end of the stream; fewer only there.
    #[pymethod]
    fn read(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        Self::read_text(zelf, &size, vm)
    }

    /// Read a line with its end, or size characters of it at most.
    #[pymethod]
    fn readline(zelf: &Py<Self>, size: Size, vm: &VirtualMachine) -> PyResult<PyStrRef> {
        Self::line(zelf, size.limit(), vm)
    }

    /// Read lines up to the end of the stream; with a hint, only until they have that many characters together.
    #[pymethod]
    fn readlines(zelf: &Py<Self>, hint: Size, vm: &VirtualMachine) -> PyResult<Vec<PyObjectRef>> {
        zelf.check_open(vm)?;
        Self::lines(zelf, &hint, vm)
    }

    /// Write the text, which is sent when the buffer is full, or by flush(). Return the number of characters.
    #[pymethod]
    fn write(zelf: &Py<Self>, text: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        Self::write_text(zelf, &text, vm)
    }

    /// Write each element of an iterable.
    #[pymethod]
    fn writelines(zelf: &Py<Self>, lines: ArgIterable, vm: &VirtualMachine) -> PyResult<()> {
        zelf.check_open(vm)?;
        for line in lines.iter(vm)? {
            let line: PyObjectRef = line?;
            Self::write_text(zelf, &line, vm)?;
        }
        Ok(())
    }

    /// Send what is in the buffer.
    #[pymethod]
    fn flush(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        zelf.flush_buffer(vm)
    }

    /// Send what is in the buffer, and close it, even if that fails.
    #[pymethod]
    fn close(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let buffer = zelf.buffer(vm)?;
        if zelf.is_closed(vm)? {
            return Ok(vm.ctx.none());
        }
        if zelf.finalising.load(Ordering::Relaxed) {
            // Not every buffer has it.
            let _ = vm.call_method(buffer, "_dealloc_warn", (zelf.to_owned(),));
        }
        let flushed = vm.call_method(zelf.as_object(), "flush", ()).map(drop);
        common::both(flushed, vm.call_method(buffer, "close", ()))
    }

    /// Send what is in the buffer, separate it and return it. The file object is of no use any more.
    #[pymethod]
    fn detach(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        let buffer = zelf.buffer(vm)?.to_owned();
        zelf.flush_buffer(vm)?;
        zelf.detached.store(true, Ordering::Release);
        Ok(buffer)
    }

    /// Change whether lines are sent at once. The encoding and the ends of lines are given to makefile().
    #[pymethod]
    fn reconfigure(zelf: &Py<Self>, settings: Settings, vm: &VirtualMachine) -> PyResult<()> {
        zelf.check_open(vm)?;
        let is_given = |setting: OptionalArg<Option<PyObjectRef>>| setting.flatten().is_some();
        if is_given(settings.encoding)
            || is_given(settings.errors)
            || settings.newline.into_option().is_some()
        {
            let text =
                "It is not possible to set the encoding or newline of stream after the first read";
            return Err(unsupported(vm, text));
        }
        zelf.flush_buffer(vm)?;
        for (flag, setting) in [
            (&zelf.line_buffering, settings.line_buffering),
            (&zelf.write_through, settings.write_through),
        ] {
            if let Some(setting) = setting {
                flag.store(setting.try_to_bool(vm)?, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Raise io.UnsupportedOperation: the stream of a socket has no positions.
    #[pymethod]
    fn seek(
        zelf: &Py<Self>,
        _target: PyObjectRef,
        _whence: Whence,
        vm: &VirtualMachine,
    ) -> PyResult {
        zelf.check_open(vm)?;
        Err(unsupported(vm, "underlying stream is not seekable"))
    }

    /// Raise io.UnsupportedOperation: the stream of a socket has no positions.
    #[pymethod]
    fn tell(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.check_open(vm)?;
        Err(unsupported(vm, "underlying stream is not seekable"))
    }

    /// Raise io.UnsupportedOperation.
    #[pymethod]
    fn truncate(zelf: &Py<Self>, _size: Size, vm: &VirtualMachine) -> PyResult {
        zelf.flush_buffer(vm)?;
        Err(unsupported(vm, "truncate"))
    }

    /// Return the descriptor of the socket.
    #[pymethod]
    fn fileno(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.buffer(vm)?, "fileno", ())
    }

    /// Return whether this is a terminal.
    #[pymethod]
    fn isatty(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.buffer(vm)?, "isatty", ())
    }

    /// Return whether the buffer can seek; that of a socket cannot.
    #[pymethod]
    fn seekable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.buffer(vm)?, "seekable", ())
    }

    /// Return whether the buffer can be read.
    #[pymethod]
    fn readable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.buffer(vm)?, "readable", ())
    }

    /// Return whether the buffer can be written.
    #[pymethod]
    fn writable(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        vm.call_method(zelf.buffer(vm)?, "writable", ())
    }

    /// The buffer of bytes below.
    #[pygetset(name = "buffer")]
    fn buffer_object(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        Ok(zelf.buffer(vm)?.to_owned())
    }

    #[pygetset]
    fn closed(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.buffer(vm)?.get_attr("closed", vm)
    }

    #[pygetset]
    fn name(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.buffer(vm)?.get_attr("name", vm)
    }

    #[pygetset]
    fn encoding(zelf: &Py<Self>) -> PyUtf8StrRef {
        zelf.encoding_name.clone()
    }

    #[pygetset]
    fn errors(zelf: &Py<Self>) -> PyUtf8StrRef {
        zelf.errors.clone()
    }

    #[pygetset]
    fn line_buffering(zelf: &Py<Self>) -> bool {
        zelf.line_buffering.load(Ordering::Relaxed)
    }

    #[pygetset]
    fn write_through(zelf: &Py<Self>) -> bool {
        zelf.write_through.load(Ordering::Relaxed)
    }

    /// The ends of lines that were met: None, one, or a tuple of several.
    #[pygetset]
    fn newlines(zelf: &Py<Self>, vm: &VirtualMachine) -> PyObjectRef {
        let names = Ends(zelf.seen.load(Ordering::Relaxed)).names();
        match names.as_slice() {
            [] => vm.ctx.none(),
            [name] => vm.ctx.new_str(*name).into(),
            names => {
                let names = names.iter().map(|name| vm.ctx.new_str(*name).into());
                vm.ctx.new_tuple(names.collect()).into()
            }
        }
    }

    /// How much io.TextIOWrapper reads at once; here it is as much as the buffer has.
    #[pygetset(name = "_CHUNK_SIZE")]
    fn chunk_size(_zelf: &Py<Self>) -> usize {
        8192
    }
}

impl Iterable for TextFile {
    fn iter(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        zelf.check_open(vm)?;
        Ok(zelf.into())
    }
}

impl IterNext for TextFile {
    fn next(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        let line = Self::line(zelf, None, vm)?;
        if line.is_empty() {
            return Ok(PyIterReturn::StopIteration(None));
        }
        Ok(PyIterReturn::Return(line.to_pyobject(vm)))
    }
}

impl Representable for TextFile {
    fn repr_str(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<String> {
        let mut shown = "<_io.TextIOWrapper".to_owned();
        for (attribute, label) in [("name", " name="), ("mode", " mode=")] {
            if let Ok(value) = zelf.as_object().get_attr(attribute, vm) {
                shown = format!("{shown}{label}{}", value.repr(vm)?);
            }
        }
        Ok(format!(
            "{shown} encoding='{}'>",
            zelf.encoding_name.as_str()
        ))
    }
}

impl Destructor for TextFile {
    fn del(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<()> {
        common::finalise(zelf.as_object(), &zelf.finalising, vm);
        Ok(())
    }
}
