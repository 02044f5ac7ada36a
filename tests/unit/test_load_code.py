"""Source code is cut between its definitions."""

from tests.unit.loading import pages, saved, texts

PYTHON = '@lit\ndef lamp_{0}():\n    """Lamp {0}."""\n    oil = {0}\n\n    return oil\n\n\n'


def test_a_page_holds_whole_definitions(tmp_path):
    text = "import oil\n\n\n" + "".join(PYTHON.format(number) for number in range(100))

    read = texts(saved(tmp_path, text), "lamp.py")

    assert "".join(read) == text
    assert len(read) > 2
    assert {2000 <= len(page) <= 3000 for page in read[:-1]} == {True}
    assert {page.startswith("@lit\ndef") for page in read[1:]} == {True}


def test_braces_end_definitions_that_no_blank_line_divides(tmp_path):
    text = "".join(f"int lamp_{n}(void)\n{{\n    return {n};\n}}\n" for n in range(200))

    read = texts(saved(tmp_path, text), "lamp.c")

    assert "".join(read) == text
    assert {page.startswith("int lamp_") for page in read} == {True}


def test_a_long_definition_is_cut_at_its_blank_lines(tmp_path):
    method = "    int lamp() {\n" + "        light();\n" * 30 + "    }\n\n"
    text = "class House {\n" + method * 20 + "}\n"

    read = texts(saved(tmp_path, text), "House.java")

    assert "".join(read) == text
    assert {page.startswith("    int lamp() {") for page in read[1:]} == {True}


def test_a_page_knows_its_lines_in_the_file(tmp_path):
    text = "\n\n" + "".join(PYTHON.format(number) for number in range(100))

    read = pages(saved(tmp_path, text), "lamp.py")

    for page in read:
        first, last = page.locator["lines"]
        assert page.text.rstrip("\n").split("\n") == text.split("\n")[first - 1 : last]


def test_one_endless_line_is_cut_all_the_same(tmp_path):
    read = texts(saved(tmp_path, "x=1;" * 5000), "lamp.js")

    assert "".join(read) == "x=1;" * 5000
    assert max(map(len, read)) <= 3000
