// RUN: fold
func.func @main() -> tensor<40xf32> {
  %w = nn.constant {resource = "lost", shape = [40], element_type = f32, loc = "node 'Neg_2' (Neg)"} : tensor<40xf32>
  %n = nn.negate %w {loc = "node 'Neg_2' (Neg)"} : tensor<40xf32>
  func.return %n : tensor<40xf32>
}
// error: constant names resource 'lost', which is not there
// error: node 'Neg_2' (Neg)
