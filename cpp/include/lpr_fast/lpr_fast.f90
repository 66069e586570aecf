! Fortran 2018 interface: scores of a fitted model. Compile this file with your program, and link the library.
!
! Names and meanings are those of lpr_fast.h, with two differences: an array of shape (n, D) there is (D, n) here, and
! indices start at 1. Optional outputs that are left out are not computed. Arrays of other shapes than those that are
! expected are refused. If a status is not LPR_FAST_OK, outputs are unchanged or partly written, and
! lpr_fast_last_error() gives the reason.
module lpr_fast
    use, intrinsic :: iso_c_binding
    implicit none
    private

    public :: lpr_fast_model, lpr_fast_load, lpr_fast_free
    public :: lpr_fast_size, lpr_fast_n_features, lpr_fast_n_species, lpr_fast_species, lpr_fast_cutoff
    public :: lpr_fast_score, lpr_fast_score_structure, lpr_fast_predict
    public :: lpr_fast_last_error, lpr_fast_version

    integer(c_int), parameter, public :: LPR_FAST_OK = 0, LPR_FAST_INVALID_INPUT = 1, LPR_FAST_OUT_OF_MEMORY = 2, &
                                         LPR_FAST_INTERNAL_ERROR = 3

    !> A fitted model, which lpr_fast_free() must free once.
    type :: lpr_fast_model
        private
        type(c_ptr) :: handle = c_null_ptr
    end type

    type, bind(c) :: c_structure
        integer(c_size_t) :: size
        integer(c_ptrdiff_t) :: n_atoms, n_centers
        type(c_ptr) :: positions, species, cell
        integer(c_int) :: periodic(3)
    end type

    type, bind(c) :: c_scores
        integer(c_size_t) :: size
        type(c_ptr) :: lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread
    end type

    type, bind(c) :: c_predictions
        integer(c_size_t) :: size
        type(c_ptr) :: energy, local_energies, forces, virial
    end type

    interface
        integer(c_int) function c_load(path, model) bind(c, name="lpr_fast_load")
            import
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(out) :: model
        end function
        subroutine c_free(model) bind(c, name="lpr_fast_free")
            import
            type(c_ptr), value :: model
        end subroutine
        integer(c_ptrdiff_t) function c_size(model) bind(c, name="lpr_fast_size")
            import
            type(c_ptr), value :: model
        end function
        integer(c_ptrdiff_t) function c_n_features(model) bind(c, name="lpr_fast_n_features")
            import
            type(c_ptr), value :: model
        end function
        integer(c_ptrdiff_t) function c_n_species(model) bind(c, name="lpr_fast_n_species")
            import
            type(c_ptr), value :: model
        end function
        integer(c_int) function c_species(model, place) bind(c, name="lpr_fast_species")
            import
            type(c_ptr), value :: model
            integer(c_ptrdiff_t), value :: place
        end function
        real(c_double) function c_cutoff(model) bind(c, name="lpr_fast_cutoff")
            import
            type(c_ptr), value :: model
        end function
        integer(c_int) function c_score(model, features, n, stride, species, scores, n_threads) &
            bind(c, name="lpr_fast_score")
            import
            type(c_ptr), value :: model
            real(c_double), intent(in) :: features(*)
            integer(c_ptrdiff_t), value :: n, stride
            integer(c_int), intent(in) :: species(*)
            type(c_scores), intent(in) :: scores
            integer(c_int), value :: n_threads
        end function
        integer(c_int) function c_score_structure(model, structure, scores, n_threads) &
            bind(c, name="lpr_fast_score_structure")
            import
            type(c_ptr), value :: model
            type(c_structure), intent(in) :: structure
            type(c_scores), intent(in) :: scores
            integer(c_int), value :: n_threads
        end function
        integer(c_int) function c_predict(model, structure, predictions, n_threads) bind(c, name="lpr_fast_predict")
            import
            type(c_ptr), value :: model
            type(c_structure), intent(in) :: structure
            type(c_predictions), intent(in) :: predictions
            integer(c_int), value :: n_threads
        end function
        integer(c_int) function c_refused(message) bind(c, name="lpr_fast_refused")
            import
            character(kind=c_char), intent(in) :: message(*)
        end function
        type(c_ptr) function c_last_error() bind(c, name="lpr_fast_last_error")
            import
        end function
        type(c_ptr) function c_version() bind(c, name="lpr_fast_version")
            import
        end function
        integer(c_size_t) function c_length(text) bind(c, name="strlen")
            import
            type(c_ptr), value :: text
        end function
    end interface

contains

    integer(c_int) function lpr_fast_load(path, model) result(status)
        character(*), intent(in) :: path
        type(lpr_fast_model), intent(out) :: model
        status = c_load(trim(path)//c_null_char, model%handle)
    end function

    subroutine lpr_fast_free(model)
        type(lpr_fast_model), intent(inout) :: model
        call c_free(model%handle)
        model%handle = c_null_ptr
    end subroutine

    !> M, the number of weights and of columns of phi.
    integer(c_ptrdiff_t) function lpr_fast_size(model)
        type(lpr_fast_model), intent(in) :: model
        lpr_fast_size = c_size(model%handle)
    end function

    !> D, the number of features of an environment.
    integer(c_ptrdiff_t) function lpr_fast_n_features(model)
        type(lpr_fast_model), intent(in) :: model
        lpr_fast_n_features = c_n_features(model%handle)
    end function

    integer(c_ptrdiff_t) function lpr_fast_n_species(model)
        type(lpr_fast_model), intent(in) :: model
        lpr_fast_n_species = c_n_species(model%handle)
    end function

    !> Atomic number of species `place`, 1 <= place <= lpr_fast_n_species(); -1 for other values.
    integer(c_int) function lpr_fast_species(model, place)
        type(lpr_fast_model), intent(in) :: model
        integer, intent(in) :: place
        lpr_fast_species = c_species(model%handle, int(place - 1, c_ptrdiff_t))
    end function

    !> Radius of an environment, in the unit of positions; NaN for a model that cannot describe structures.
    real(c_double) function lpr_fast_cutoff(model)
        type(lpr_fast_model), intent(in) :: model
        lpr_fast_cutoff = c_cutoff(model%handle)
    end function

    !> Scores the environments whose features are the columns of `features`, (D, n).
    integer(c_int) function lpr_fast_score( &
        model, features, species, lpr, variance, residual, local_energy, lpr_held, n_threads, percentile, verdict, sigma, spread) &
        result(status)
        type(lpr_fast_model), intent(in) :: model
        real(c_double), intent(in), contiguous :: features(:, :)
        integer(c_int), intent(in), contiguous :: species(:)
        real(c_double), intent(inout), optional, target, contiguous, dimension(:) :: &
            lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread
        integer(c_int), intent(in), optional :: n_threads
        type(c_scores) :: scores
        status = LPR_FAST_OK
        ! Without a model, the call below gives the reason.
        if (c_associated(model%handle)) &
            call check_columns("features", shape(features), int(lpr_fast_n_features(model)), status)
        call check_shape("species", shape(species), [size(features, 2)], status)
        scores = scores_of(size(features, 2), status, &
                           lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread)
        if (status /= LPR_FAST_OK) return
        status = c_score(model%handle, features, size(features, 2, c_ptrdiff_t), size(features, 1, c_ptrdiff_t), &
                         species, scores, number_of(n_threads))
    end function

    !> Scores the first n_centers atoms of a structure; the others are neighbours alone, such as ghost atoms.
    !! @param positions  (3, n_atoms), in the unit of the model's cutoff
    !! @param species    (n_atoms)
    !! @param lpr        and the other outputs: (n_centers)
    !! @param n_centers  from 1 to the number of atoms; all atoms if it is left out
    !! @param cell       (3, 3), a vector in each column; needs `periodic`
    !! @param periodic   (3), along which vectors atoms repeat
    integer(c_int) function lpr_fast_score_structure( &
        model, positions, species, lpr, variance, residual, local_energy, lpr_held, n_centers, cell, periodic, n_threads, &
        percentile, verdict, sigma, spread) result(status)
        type(lpr_fast_model), intent(in) :: model
        real(c_double), intent(in), contiguous, target :: positions(:, :)
        integer(c_int), intent(in), contiguous, target :: species(:)
        real(c_double), intent(inout), optional, target, contiguous, dimension(:) :: &
            lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread
        integer, intent(in), optional :: n_centers
        real(c_double), intent(in), optional, target, contiguous :: cell(:, :)
        logical, intent(in), optional :: periodic(:)
        integer(c_int), intent(in), optional :: n_threads
        type(c_structure) :: atoms
        type(c_scores) :: scores
        status = LPR_FAST_OK
        atoms = structure_of(positions, species, n_centers, cell, periodic, status)
        scores = scores_of(room_of(atoms), status, &
                           lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread)
        if (status == LPR_FAST_OK) status = c_score_structure(model%handle, atoms, scores, number_of(n_threads))
    end function

    !> Energy, local energies, forces and virial of a structure, whose arguments are as in lpr_fast_score_structure().
    !! @param energy          of all centers, baseline included
    !! @param local_energies  (n_centers), baseline included
    !! @param forces          (3, n_atoms), on all atoms, centers or not
    !! @param virial          (3, 3), symmetric
    integer(c_int) function lpr_fast_predict( &
        model, positions, species, energy, local_energies, forces, virial, n_centers, cell, periodic, n_threads) &
        result(status)
        type(lpr_fast_model), intent(in) :: model
        real(c_double), intent(in), contiguous, target :: positions(:, :)
        integer(c_int), intent(in), contiguous, target :: species(:)
        real(c_double), intent(inout), optional, target :: energy
        real(c_double), intent(inout), optional, target, contiguous :: local_energies(:), forces(:, :), virial(:, :)
        integer, intent(in), optional :: n_centers
        real(c_double), intent(in), optional, target, contiguous :: cell(:, :)
        logical, intent(in), optional :: periodic(:)
        integer(c_int), intent(in), optional :: n_threads
        type(c_structure) :: atoms
        type(c_predictions) :: predictions
        status = LPR_FAST_OK
        atoms = structure_of(positions, species, n_centers, cell, periodic, status)
        predictions%size = c_sizeof(predictions)
        predictions%energy = c_null_ptr
        if (present(energy)) predictions%energy = c_loc(energy)
        predictions%local_energies = place_of("local_energies", room_of(atoms), status, local_energies)
        predictions%forces = place_of_columns("forces", size(positions, 2), status, forces)
        predictions%virial = place_of_columns("virial", 3, status, virial)
        if (status == LPR_FAST_OK) status = c_predict(model%handle, atoms, predictions, number_of(n_threads))
    end function

    !> Why the last call that failed on this thread did so, in one sentence.
    function lpr_fast_last_error() result(text)
        character(:), allocatable :: text
        text = text_at(c_last_error())
    end function

    !> Version of the library, such as "0.2.0".
    function lpr_fast_version() result(text)
        character(:), allocatable :: text
        text = text_at(c_version())
    end function

    type(c_structure) function structure_of(positions, species, n_centers, cell, periodic, status) result(atoms)
        real(c_double), intent(in), contiguous, target :: positions(:, :)
        integer(c_int), intent(in), contiguous, target :: species(:)
        integer, intent(in), optional :: n_centers
        real(c_double), intent(in), optional, target, contiguous :: cell(:, :)
        logical, intent(in), optional :: periodic(:)
        integer(c_int), intent(inout) :: status
        call check_columns("positions", shape(positions), 3, status)
        call check_shape("species", shape(species), [size(positions, 2)], status)
        if (present(cell) .and. .not. present(periodic)) &
            call refuse("cell is given, but periodic is not; give periodic too.", status)
        atoms%size = c_sizeof(atoms)
        atoms%n_atoms = size(positions, 2)
        atoms%n_centers = atoms%n_atoms
        if (present(n_centers)) atoms%n_centers = n_centers
        atoms%positions = c_loc(positions)
        atoms%species = c_loc(species)
        atoms%cell = c_null_ptr
        if (present(cell)) then
            call check_shape("cell", shape(cell), [3, 3], status)
            atoms%cell = c_loc(cell)
        end if
        atoms%periodic = 0
        if (present(periodic)) then
            call check_shape("periodic", shape(periodic), [3], status)
            if (status == LPR_FAST_OK) atoms%periodic = merge(1, 0, periodic)
        end if
    end function

    !> The size of outputs of centers; -1 for a number of centers that the C interface refuses.
    integer function room_of(atoms)
        type(c_structure), intent(in) :: atoms
        room_of = -1
        if (1 <= atoms%n_centers .and. atoms%n_centers <= atoms%n_atoms) room_of = int(atoms%n_centers)
    end function

    type(c_scores) function scores_of( &
        n, status, lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread) result(scores)
        integer, intent(in) :: n
        integer(c_int), intent(inout) :: status
        real(c_double), intent(in), optional, target, contiguous, dimension(:) :: &
            lpr, variance, residual, local_energy, lpr_held, percentile, verdict, sigma, spread
        scores%size = c_sizeof(scores)
        scores%lpr = place_of("lpr", n, status, lpr)
        scores%variance = place_of("variance", n, status, variance)
        scores%residual = place_of("residual", n, status, residual)
        scores%local_energy = place_of("local_energy", n, status, local_energy)
        scores%lpr_held = place_of("lpr_held", n, status, lpr_held)
        scores%percentile = place_of("percentile", n, status, percentile)
        scores%verdict = place_of("verdict", n, status, verdict)
        scores%sigma = place_of("sigma", n, status, sigma)
        scores%spread = place_of("spread", n, status, spread)
    end function

    !> Address of an output of size n (-1: of any size), or NULL if it is left out.
    type(c_ptr) function place_of(name, n, status, output) result(place)
        character(*), intent(in) :: name
        integer, intent(in) :: n
        integer(c_int), intent(inout) :: status
        real(c_double), intent(in), optional, target, contiguous :: output(:)
        place = c_null_ptr
        if (.not. present(output)) return
        if (n >= 0) call check_shape(name, shape(output), [n], status)
        place = c_loc(output)
    end function

    !> Address of an output of shape (3, n), or NULL if it is left out.
    type(c_ptr) function place_of_columns(name, n, status, output) result(place)
        character(*), intent(in) :: name
        integer, intent(in) :: n
        integer(c_int), intent(inout) :: status
        real(c_double), intent(in), optional, target, contiguous :: output(:, :)
        place = c_null_ptr
        if (.not. present(output)) return
        call check_shape(name, shape(output), [3, n], status)
        place = c_loc(output)
    end function

    !> Refuses an input that is not (n_rows, n), for any n.
    subroutine check_columns(name, found, n_rows, status)
        character(*), intent(in) :: name
        integer, intent(in) :: found(2), n_rows
        integer(c_int), intent(inout) :: status
        call check_shape(name, found, [n_rows, merge(found(1), found(2), found(2) == n_rows)], status)
    end subroutine

    !> Refuses an array of the wrong shape.
    subroutine check_shape(name, found, expected, status)
        character(*), intent(in) :: name
        integer, intent(in) :: found(:), expected(:)
        integer(c_int), intent(inout) :: status
        character(:), allocatable :: advice
        if (all(found == expected)) return
        advice = "give an array of that shape"
        if (all(found == expected(size(expected):1:-1))) advice = "transpose it"
        call refuse(name//" has shape "//shape_text(found)//", expected "//shape_text(expected)//"; "//advice//".", status)
    end subroutine

    function shape_text(sizes) result(text)
        integer, intent(in) :: sizes(:)
        character(:), allocatable :: text
        character(32) :: numbers
        write (numbers, "(*(i0, :, ', '))") sizes
        text = "("//trim(numbers)//")"
    end function

    !> Sets the status and the last error, unless something was refused before.
    subroutine refuse(message, status)
        character(*), intent(in) :: message
        integer(c_int), intent(inout) :: status
        if (status == LPR_FAST_OK) status = c_refused(message//c_null_char)
    end subroutine

    integer(c_int) function number_of(n_threads)
        integer(c_int), intent(in), optional :: n_threads
        number_of = 0
        if (present(n_threads)) number_of = n_threads
    end function

    function text_at(place) result(text)
        type(c_ptr), intent(in) :: place
        character(:), allocatable :: text
        character(kind=c_char), pointer :: letters(:)
        integer(c_size_t) :: i
        call c_f_pointer(place, letters, [c_length(place)])
        allocate (character(size(letters)) :: text)
        do i = 1, size(letters, kind=c_size_t)
            text(i:i) = letters(i)
        end do
    end function

end module
