//! The members of `socket.AddressFamily` and its like. Python's `enum` would make them by some thousand calls of Python functions,
//! a third of what `import socket` costs.

#[rustpython_vm::pymodule(sub, name = "_socket")]
pub(crate) mod functions {
    use std::collections::HashMap;

    use rustpython_vm::{
        AsObject, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
        builtins::{PyDict, PyDictRef, PyInt, PyList, PyStr, PyTypeRef},
    };

    /// Give the empty enumeration class a member for each constant in names that begins with prefix, and put them in names.
    ///
    /// What becomes of class and names is what `Enum._convert_()` makes of the same constants.
    #[pyfunction]
    fn _add_members(
        class: PyTypeRef,
        names: PyDictRef,
        prefix: PyRef<PyStr>,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        let own = |name: &str| class.as_object().get_attr(vm.ctx.intern_str(name), vm);
        let by_name = own("_member_map_")?.downcast::<PyDict>();
        let by_value = own("_value2member_map_")?.downcast::<PyDict>();
        let order = own("_member_names_")?.downcast::<PyList>();
        let values = own("_hashable_values_")?.downcast::<PyList>();
        let (Ok(by_name), Ok(by_value), Ok(order), Ok(values)) = (by_name, by_value, order, values)
        else {
            return Err(vm.new_type_error("_add_members() argument 1 must be an enumeration"));
        };
        let is_flags = class
            .attributes
            .get(vm.ctx.intern_str("_flag_mask_"))
            .is_some();
        let (mut single_bits, mut all) = (0_i64, 0_i64);
        let mut members: HashMap<i64, PyObjectRef> = HashMap::new();
        for Constant {
            name,
            value,
            number,
        } in constants(&names, prefix.as_bytes(), vm)?
        {
            let member = match members.get(&number) {
                // A second name.
                Some(member) => member.clone(),
                None => {
                    let sort_order = vm.ctx.new_int(order.borrow_vec().len());
                    let member = PyInt::from(number).into_ref_with_type(vm, class.clone())?;
                    for (attribute, content) in [
                        ("_value_", value.clone()),
                        ("_name_", name.clone().into()),
                        ("__objclass__", class.clone().into()),
                        ("_sort_order_", sort_order.into()),
                    ] {
                        let attribute = vm.ctx.intern_str(attribute);
                        member.as_object().set_attr(attribute, content, vm)?;
                    }
                    by_value.set_item(&*value, member.clone().into(), vm)?;
                    values.borrow_vec_mut().push(value);
                    if !is_flags || number.count_ones() == 1 {
                        order.borrow_vec_mut().push(name.clone().into());
                        single_bits |= number;
                    }
                    all |= number;
                    members.insert(number, member.clone().into());
                    member.into()
                }
            };
            by_name.set_item(&*name, member.clone(), vm)?;
            names.set_item(&*name, member, vm)?;
        }
        // Now at once: the first change of a class that was just in use takes longer than all the others. And not by way of the
        // metaclass, whose Python code looks whether there is such a member.
        for (name, member) in &*by_name {
            if let Some(name) = name.downcast_ref::<PyStr>().and_then(|name| name.to_str()) {
                class.set_attr(vm.ctx.intern_str(name), member);
            }
        }
        if is_flags {
            let below = i64::MAX.checked_shr(all.leading_zeros().saturating_sub(1));
            for (attribute, bits) in [
                ("_flag_mask_", all),
                ("_singles_mask_", single_bits),
                ("_all_bits_", below.unwrap_or(0)),
            ] {
                class.set_attr(vm.ctx.intern_str(attribute), vm.ctx.new_int(bits).into());
            }
        }
        Ok(())
    }

    struct Constant {
        name: PyRef<PyStr>,
        value: PyObjectRef,
        number: i64,
    }

    /// Those whose names begin with `prefix`, which leaves out the misspelt `AF_DECnet`, in the order that `enum` gives them.
    fn constants(
        names: &Py<PyDict>,
        prefix: &[u8],
        vm: &VirtualMachine,
    ) -> PyResult<Vec<Constant>> {
        let mut found = Vec::new();
        for (name, value) in names {
            let text = name.downcast_ref::<PyStr>().and_then(|name| name.to_str());
            let is_upper = |text: &str| !text.bytes().any(|byte| byte.is_ascii_lowercase());
            if !text.is_some_and(|text| text.as_bytes().starts_with(prefix) && is_upper(text)) {
                continue;
            }
            let number: i64 = value.clone().try_into_value(vm)?;
            if let Ok(name) = name.downcast::<PyStr>() {
                found.push(Constant {
                    name,
                    value,
                    number,
                });
            }
        }
        found.sort_by(|a, b| (a.number, a.name.as_bytes()).cmp(&(b.number, b.name.as_bytes())));
        Ok(found)
    }

    /// Return the module's names without a leading underscore.
    #[pyfunction]
    fn _public_names(names: PyDictRef) -> Vec<PyObjectRef> {
        let is_public = |name: &PyObjectRef| {
            name.downcast_ref::<PyStr>()
                .is_some_and(|name| !name.as_bytes().starts_with(b"_"))
        };
        names.keys_vec().into_iter().filter(is_public).collect()
    }
}
